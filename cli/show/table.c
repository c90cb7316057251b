/* Cells are kept painted; their widths are counted without the colours. */
#include "show/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"

enum { COLUMNS = 12 };

struct table {
	const struct paint *paint;
	int columns;
	bool right[COLUMNS];
	int widths[COLUMNS];
	char **cells;
	size_t count;
};

struct table *
table_new(const struct paint *paint, int columns)
{
	struct table *table = mem_alloc(sizeof(*table));

	table->paint = paint;
	table->columns = columns < COLUMNS ? columns : COLUMNS;
	return table;
}

void
table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void
table_add(struct table *table, enum style style, const char *text)
{
	int column = (int)(table->count % (size_t)table->columns), columns;
	struct str cell;

	str_init(&cell, 0);
	paint_add(table->paint, &cell, style, text);
	columns = text_columns(str_text(&cell));
	if (columns > table->widths[column])
		table->widths[column] = columns;
	table->cells = mem_grow(table->cells, table->count + 1, sizeof(*table->cells));
	table->cells[table->count++] = str_take(&cell);
}

void
table_addf(struct table *table, enum style style, const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		log_fatal("no text can be made of \"%s\"", format);
	table_add(table, style, text);
	free(text);
}

void
table_right(struct table *table, int column)
{
	table->right[column] = true;
}

static void
print_row(const struct table *table, char *const *cells, int indent, struct str *to)
{
	int owed = indent; /* spaces, written only before more text, so that no line ends in them */

	for (int i = 0; i < table->columns; i++) {
		int rest = table->widths[i] - text_columns(cells[i]);

		if (table->widths[i] == 0)
			continue;
		if (*cells[i] != '\0') {
			str_addf(to, "%*s%s", owed + (table->right[i] ? rest : 0), "", cells[i]);
			owed = 2 + (table->right[i] ? 0 : rest);
		} else
			owed += 2 + rest;
	}
	str_add(to, "\n");
}

void
table_print(const struct table *table, int indent, struct str *to)
{
	for (size_t i = 0; i + (size_t)table->columns <= table->count; i += (size_t)table->columns)
		print_row(table, table->cells + i, indent, to);
}
