/* Rows of cells in columns as wide as they need. */
#ifndef CLI_SHOW_TABLE_H
#define CLI_SHOW_TABLE_H

#include "show/paint.h"

struct table;

struct table *table_new(const struct paint *paint, int columns);
void table_free(struct table *table);
/* The next cell, from left to right; after the last column comes the next row. */
void table_add(struct table *table, enum style style, const char *text);
void table_addf(struct table *table, enum style style, const char *format, ...) printf_like(3, 4);
void table_right(struct table *table, int column); /* aligned to the right */
/* Each row a line, indented, two spaces between columns; empty columns are left out; lines are not
 * cut. */
void table_print(const struct table *table, int indent, struct str *to);

#endif
