/* A release as JSON, for the journal and the API. */
#include "base/jsonx.h"
#include "base/str.h"
#include "model/rollout.h"

json_t *
release_json(const struct release *release)
{
	json_t *json = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I}", "app", release->app,
	    "number", release->number, "image", release->image, "who", release->who, "why",
	    release->why, "commit", release->commit, "at_ms", (json_int_t)release->at_ms);
	if (release->known_good)
		json_object_set_new(json, "known_good", json_true());
	return json;
}

int
release_parse(const json_t *json, struct release *release, struct err *e)
{
	struct release parsed = {.number = jsonx_count(json, "number", 0),
	    .at_ms = jsonx_int(json, "at_ms", 0),
	    .known_good = jsonx_bool(json, "known_good", false)};
	bool whole =
	    str_copy(parsed.app, sizeof(parsed.app), jsonx_text_or(json, "app", "")) &&
	    str_copy(parsed.image, sizeof(parsed.image), jsonx_text_or(json, "image", "")) &&
	    str_copy(parsed.who, sizeof(parsed.who), jsonx_text_or(json, "who", "")) &&
	    str_copy(parsed.why, sizeof(parsed.why), jsonx_text_or(json, "why", "")) &&
	    str_copy(parsed.commit, sizeof(parsed.commit), jsonx_text_or(json, "commit", ""));
	if (!whole || parsed.number < 1 || parsed.image[0] == '\0' || parsed.at_ms < 0 ||
	    parsed.at_ms > EVENT_MS_MAX)
		return err_set(
		    e, "a release needs a number from 1 on and an image; its texts are bounded");
	*release = parsed;
	return 0;
}
