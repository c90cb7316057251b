/* Tags of apps, and what must be so before one is changed. */
#include "model/app_tag.h"
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include "base/hex.h"
#include "base/log.h"
#include "base/str.h"

/* Half of a SHA-256 is enough: nobody gains by making two specs with the same tag, for who writes
 * an app may write any. */
void
app_tag(const struct app *app, char tag[APP_TAG])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char *text = json_dumps(app->spec, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL)
		log_fatal("the spec of app %s cannot be written as JSON", app->name);
	SHA256((const unsigned char *)text, strlen(text), digest);
	free(text);
	hex_write(digest, (APP_TAG - 1) / 2, tag);
}

static bool
has_one_of(const struct app *app, const struct app_condition *condition, char tag[APP_TAG])
{
	app_tag(app, tag);
	for (int i = 0; i < condition->tag_count; i++)
		if (strcmp(condition->tags[i], tag) == 0)
			return true;
	return false;
}

static bool
refuse(struct err *why, const char *name, const char *tag)
{
	err_set(why,
	    "app %s was changed meanwhile: it has the ETag \"%s\" now, which is not in If-Match; "
	    "get it, look at what has changed, and send yours again with this ETag; nothing was "
	    "changed",
	    name, tag);
	return false;
}

bool
app_meets(const struct app *app, const struct app_condition *condition, const json_t *spec,
    struct err *why)
{
	char tag[APP_TAG];
	if (app == NULL && (condition->exists || condition->tag_count > 0)) {
		err_set(why,
		    "there is no such app, and If-Match asks for one: send it without If-Match, or "
		    "with If-None-Match: * to create it; nothing was changed");
		return false;
	}
	if (app != NULL && condition->missing) {
		err_set(why,
		    "there is an app %s already, and If-None-Match: * creates only: send it "
		    "without it, or with If-Match to replace the one there is; nothing was changed",
		    app->name);
		return false;
	}
	if (app == NULL || condition->tag_count == 0 ||
	    (spec != NULL && json_equal(app->spec, spec)))
		return true;
	return has_one_of(app, condition, tag) || refuse(why, app->name, tag);
}
