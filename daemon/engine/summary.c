/* One line of a list, made from the state. */
#include "base/jsonx.h"
#include "base/str.h"
#include "engine/engine_room.h"

char *
summary_text(const struct rollout *r)
{
	const struct stage *stage = rollout_stage(r);
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:o, s:s, s:o, s:o}",
	    "id", r->id, "app", r->app->name, "namespace", r->app->namespace, "cluster",
	    r->app->cluster, "release", r->release.number, "image", r->release.image, "phase",
	    phase_name(r->phase), "stage", stage ? stage->name : "", "weight",
	    r->app->rolls ? json_null() : json_integer(r->seen), "reason", r->reason, "started",
	    jsonx_time(r->created_ms), "ended", jsonx_time(r->ended_ms));
	char *text = jsonx_dump(json);
	json_decref(json);
	return text;
}

bool
rollout_ended(const struct rollout *r)
{
	return r->phase == PHASE_SUCCEEDED || r->phase == PHASE_ABORTED;
}
