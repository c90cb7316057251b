/* "Did you mean": the nearest name by edits, a swap of neighbours being one of them. */
#include <string.h>
#include "args.h"
#include "base/str.h"

enum { LONGEST = 40 };

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static size_t
edits(const char *a, const char *b)
{
	size_t rows[LONGEST + 1][LONGEST + 1];
	size_t m = strlen(a), n = strlen(b);

	if (m > LONGEST || n > LONGEST)
		return LONGEST;
	for (size_t i = 0; i <= m; i++)
		rows[i][0] = i;
	for (size_t j = 0; j <= n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= m; i++) {
		for (size_t j = 1; j <= n; j++) {
			size_t change = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			rows[i][j] = least(rows[i - 1][j] + 1, rows[i][j - 1] + 1, change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    rows[i - 2][j - 2] + 1 < rows[i][j])
				rows[i][j] = rows[i - 2][j - 2] + 1;
		}
	}
	return rows[m][n];
}

const char *
suggest(const char *word, const char *const *names)
{
	const char *best = NULL;
	size_t length = strlen(word), least_edits = length < 3 ? 1 : length < 6 ? 2 : 3;

	for (; *names != NULL; names++) {
		size_t distance = edits(word, *names);

		if (length >= 3 && str_starts(*names, word))
			distance = 1;
		if (distance < strlen(*names) && distance <= least_edits) {
			if (best == NULL || distance < least_edits)
				best = *names;
			least_edits = distance;
		}
	}
	return best;
}
