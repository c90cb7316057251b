/* Any bytes into the YAML reader. What it takes must come out of the writer unchanged, and the
 * lines must be those of the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const json_t *value)
{
	struct err e = {""};
	json_t *again;
	char *text = yaml_dump(value);

	/* Escaping and indenting can make it larger than what is taken. */
	if (yaml_parse(text, strlen(text), &again, NULL, &e) == 0) {
		if (!json_equal(value, again))
			log_fatal("changed: %s", text);
		json_decref(again);
	} else if (strstr(e.text, "at most") == NULL) {
		log_fatal("refused: %s\n%s", e.text, text);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_lines *lines = NULL;
	struct err e = {""};
	json_t *value = NULL;
	size_t count = 1;

	if (yaml_parse((const char *)data, size, &value, &lines, &e) != 0) {
		if (value != NULL || lines != NULL || e.text[0] == '\0')
			log_fatal("refused without a reason, or with a result");
		return 0;
	}
	/* libyaml ends lines with more than \n; each of those takes at least one byte. */
	count += size;
	if (yaml_line(lines, "") < 1 || (size_t)yaml_line(lines, "a[0].b") > count)
		log_fatal("line %d of %zu", yaml_line(lines, ""), count);
	check_again(value);
	json_decref(value);
	yaml_lines_free(lines);
	return 0;
}
