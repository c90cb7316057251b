/* What the daemon knows as the JSON of docs/rest.md. All results are new references. */
#ifndef API_RENDER_H
#define API_RENDER_H

#include <jansson.h>
#include "engine/engine.h"

json_t *api_text_json(const char *text); /* never NULL: what is no UTF-8 becomes '?' */
json_t *api_hold_json(int64_t ms);	 /* "5m" */
json_t *api_app_json(const struct engine *engine, const struct app *app);
json_t *api_event_json(const struct journal_row *row);
json_t *api_row_json(const struct journal_row *row);	       /* its text; {} if that is damaged */
json_t *api_page_json(json_t *items, json_t *next);	       /* takes both */
json_t *api_gates_json(const struct app *app, uint32_t gates); /* names of those in the mask */
/* Of one that rolls: null, there is no weight; and so many pods, "3" or "25%", of the others null.
 */
json_t *api_weight_json(const struct app *app, const struct target *target);
json_t *api_batch_json(const struct target *target);
json_t *api_rollout_json(const struct engine_look *look);
/* active: the rollout that is under way, or NULL. */
json_t *api_preflight_json(const struct app *app, const char *active, const struct plan *plan);
json_t *api_plan_json(const struct app *app, const char *image, const struct plan *plan);

#endif
