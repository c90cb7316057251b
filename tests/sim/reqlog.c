/* reqlog: see reqlog.h. */
#include "reqlog.h"

#include "jx.h"
#include "map.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEPT = 1000 };

static struct map counts; /* "verb kind agent" -> json integer */
static json_t *last[KEPT];
static uint64_t total;

static int64_t
wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
count(const char *verb, const char *kind, const char *agent)
{
	char *key = xfmt("%s %s %s", verb, kind, agent);
	json_t *row = map_get(&counts, key);

	if (row == NULL && counts.used < 10000) {
		row = json_pack("{s:s, s:s, s:s, s:i}", "verb", verb, "kind", kind, "user_agent",
		    agent, "count", 0);
		map_set(&counts, key, row);
	}
	if (row != NULL)
		jx_set_int(row, "count", jx_int(row, "count", 0) + 1);
	free(key);
}

void
reqlog_add(const struct req *q, int status)
{
	json_t **slot = &last[total++ % KEPT];
	const char *kind = q->kind != NULL ? q->kind->plural : "";
	const char *agent = q->user_agent != NULL ? q->user_agent : "";
	struct buf query = {0};

	buf_str(&query, q->path);
	for (size_t i = 0; i < q->nparams; i++)
		buf_fmt(&query, "%c%s=%s", i ? '&' : '?', q->params[i].key,
		    q->params[i].value ? q->params[i].value : "");
	json_decref(*slot);
	*slot = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:I}", "method", q->method, "verb",
	    verb_name(q->verb), "kind", kind, "path", query.p, "status", status, "user_agent",
	    agent, "user", q->impersonate != NULL ? q->impersonate : "", "time_ms",
	    (json_int_t)wall_ms());
	if (*slot != NULL && q->body != NULL && q->len <= 4096) {
		json_t *body = json_loadb(q->body, q->len, 0, NULL);

		if (body != NULL)
			json_object_set_new(*slot, "body", body);
	}
	buf_free(&query);
	count(verb_name(q->verb), kind, agent);
}

int
reqlog_show(struct reply *r)
{
	json_t *rows = json_array(), *list = json_array();
	uint64_t from = total > KEPT ? total - KEPT : 0;
	const struct map_slot *s;
	size_t i = 0;

	while ((s = map_next(&counts, &i)) != NULL)
		json_array_append_new(rows, json_deep_copy(s->value));
	for (; from < total; from++)
		json_array_append(list, last[from % KEPT]);
	r->code = 200;
	r->body =
	    json_pack("{s:I, s:o, s:o}", "total", (json_int_t)total, "counts", rows, "last", list);
	return 0;
}

int
reqlog_reset(struct reply *r)
{
	const struct map_slot *s;
	size_t i = 0;

	while ((s = map_next(&counts, &i)) != NULL)
		json_decref(s->value);
	map_free(&counts);
	for (i = 0; i < KEPT; i++) {
		json_decref(last[i]);
		last[i] = NULL;
	}
	total = 0;
	return reqlog_show(r);
}
