/* The numbered steps of the database's shape, made from migrations/ at build. Forward only: a step
 * that was released is never edited. Numbers are 1, 2, 3 … without a gap. */
#ifndef STORE_MIGRATIONS_H
#define STORE_MIGRATIONS_H

struct store_migration {
	int number;
	const char *name;
	const char *sql; /* no BEGIN or COMMIT: each step is one transaction with its version */
};

extern const struct store_migration store_migrations[];
extern const int store_migrations_count;

#endif
