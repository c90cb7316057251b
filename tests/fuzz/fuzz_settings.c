/* airisd.yaml, as people write it. Either there are settings or there are errors, never both; and
 * what is in force, printed, is read as the same settings again. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "settings/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_nothing(const struct settings *settings, struct errlist *errors)
{
	(void)settings;
	(void)errors;
}

static struct settings *
parse(const char *text, size_t size, struct errlist *errors)
{
	struct settings *settings = settings_parse(text, size, check_nothing, errors);

	assert((settings == NULL) == (errors->count > 0));
	for (size_t i = 0; i < errors->count; i++) {
		assert(errors->items[i].text[0] != '\0' && errors->items[i].line >= 0);
		assert(str_utf8_ok(errors->items[i].text, strlen(errors->items[i].text)));
		assert(str_utf8_ok(errors->items[i].path, strlen(errors->items[i].path)));
	}
	return settings;
}

static void
check_values(const struct settings *settings)
{
	assert(settings->socket[0] != '\0' || settings->tcp[0] != '\0');
	assert(settings->mode > 0 && settings->mode <= 0777);
	assert(settings->cluster_count >= 0 && settings->cluster_count <= SETTINGS_CLUSTERS);
	assert(settings->source_count >= 0 && settings->source_count <= SETTINGS_SOURCES);
	for (int i = 0; i < settings->cluster_count; i++) {
		assert(str_is_dns_label(settings->clusters[i].name));
		assert(settings->clusters[i].qps > 0 && settings->clusters[i].burst > 0);
	}
	for (int i = 0; i < settings->source_count; i++)
		for (char *const *h = settings->sources[i].headers; *h != NULL; h++)
			assert(strpbrk(*h, "\r\n") == NULL);
	for (int i = 0; i < settings->webhook_count; i++)
		for (char *const *h = settings->webhooks[i].headers; *h != NULL; h++)
			assert(strpbrk(*h, "\r\n") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errlist errors, changes;
	struct settings *settings, *again;
	char *text, *other;

	errlist_init(&errors);
	errlist_init(&changes);
	settings = parse((const char *)data, size, &errors);
	if (settings != NULL) {
		check_values(settings);
		text = settings_print(settings);
		again = parse(text, strlen(text), &errors);
		assert(again != NULL);
		other = settings_print(again);
		assert(strcmp(text, other) == 0);
		settings_fixed(settings, again, &changes);
		assert(changes.count == 0);
		settings_free(again);
		free(text);
		free(other);
	}
	settings_free(settings);
	errlist_done(&changes);
	errlist_done(&errors);
	return 0;
}
