#!/bin/sh
# Writes the numbered SQL files given as arguments as a C table, to standard output.
set -eu
cat <<'END'
/* Made from migrations/; do not edit. */
#include "store/migrations.h"

const struct store_migration store_migrations[] = {
END
for file in "$@"; do
	base=$(basename "$file" .sql)
	number=${base%%_*}
	number=$(expr "$number" + 0)
	printf '\t{%d, "%s",\n' "$number" "${base#*_}"
	# Question marks too: two of them could start a trigraph.
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/	/\\t/g' -e 's/.*/\t    "&\\n"/' "$file"
	printf '\t},\n'
done
cat <<'END'
};
const int store_migrations_count = sizeof(store_migrations) / sizeof(store_migrations[0]);
END
