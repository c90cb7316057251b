/* ETags in requests. The two headers are "*" or a list of tags in quotes; a weak one (W/"…") is
 * good enough to tell what was seen, never to change something. */
#include "api/tags.h"
#include <string.h>
#include "base/str.h"

struct tag {
	char text[APP_TAG]; /* without quotes; "": none of ours */
	bool weak;
};

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* The tag at *at, which steps behind it; false: there is none. */
static bool
take_tag(const char **at, struct tag *tag)
{
	const char *start = *at;
	tag->weak = str_starts(start, "W/");
	start += tag->weak ? 2 : 0;
	if (*start++ != '"')
		return false;
	size_t length = 0;
	while (start[length] != '\0' && start[length] != '"' &&
	       (unsigned char)start[length] > 0x20 && start[length] != 0x7f)
		length++;
	if (start[length] != '"')
		return false;
	str_print(tag->text, APP_TAG, "%.*s", length == APP_TAG - 1 ? (int)length : 0, start);
	*at = start + length + 1;
	return true;
}

/* How many tags the list has; -1: it is no list, or has too many. */
static int
take_list(const char *text, struct tag tags[APP_TAGS])
{
	int count = 0;
	const char *at = skip_blanks(text);
	while (*at != '\0') {
		if (count == APP_TAGS || !take_tag(&at, &tags[count++]))
			return -1;
		at = skip_blanks(at);
		if (*at == '\0')
			break;
		if (*at != ',')
			return -1;
		at = skip_blanks(at + 1);
	}
	return count > 0 ? count : -1;
}

static bool
refuse(struct call *call, const char *header, const char *value, const char *allowed)
{
	api_problem(call->api, call->number, CODE_BAD_REQUEST,
	    "the header %s is \"%.80s\"; allowed: %s", header, value, allowed);
	return false;
}

#define LIST                                                                                       \
	"*, or at most 8 tags in quotes as the header ETag of an app has them, separated by "      \
	"commas"

bool
api_ask_condition(struct call *call, bool create, struct app_condition *condition)
{
	const char *match = httpd_header(call->request, "If-Match");
	const char *none = httpd_header(call->request, "If-None-Match");
	struct tag tags[APP_TAGS];
	*condition = (struct app_condition){0};
	if (none != NULL && !create)
		return refuse(call, "If-None-Match", none, "none here; If-Match may be given");
	if (none != NULL && strcmp(none, "*") != 0)
		return refuse(call, "If-None-Match", none, "* here: create it, if there is none");
	condition->missing = none != NULL;
	condition->exists = match != NULL && strcmp(match, "*") == 0;
	if (match == NULL || condition->exists)
		return true;
	condition->tag_count = take_list(match, tags);
	if (condition->tag_count < 0)
		return refuse(call, "If-Match", match, LIST);
	for (int i = 0; i < condition->tag_count; i++)
		if (!tags[i].weak)
			str_copy(condition->tags[i], APP_TAG, tags[i].text);
	return true;
}

bool
api_ask_seen(struct call *call, const char *tag, bool *seen)
{
	const char *none = httpd_header(call->request, "If-None-Match");
	struct tag tags[APP_TAGS];
	*seen = none != NULL && strcmp(none, "*") == 0;
	if (none == NULL || *seen)
		return true;
	int count = take_list(none, tags);
	if (count < 0)
		return refuse(call, "If-None-Match", none, LIST);
	for (int i = 0; i < count; i++)
		*seen = *seen || strcmp(tags[i].text, tag) == 0;
	return true;
}
