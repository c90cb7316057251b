/* The six verdicts (design.md section 6). Only pass advances; fail may abort; the rest hold. */
#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "model/app.h"

enum verdict {
	VERDICT_PENDING,
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_NO_DATA,
	VERDICT_ERROR,
	VERDICT_TOO_FEW
};
const char *verdict_name(enum verdict verdict); /* "pass", "no_data" … */
enum verdict verdict_of(const char *name);	/* unknown: VERDICT_ERROR */

struct gate_sample {
	enum verdict verdict;
	bool has_value;
	double value;
	double samples; /* what the samples query said; -1: none */
	char text[256]; /* why, for people: "no series", "HTTP 503 …" */
	int64_t at_ms;	/* wall clock, when it was asked */
	/* Why it is no verdict on what was measured, for who asks before there is anything: */
	bool refused;	 /* the source does not take the query, and never will */
	bool source_ill; /* it does not answer, or cannot be asked, or has another clock */
};

/* "< 0.5", ">= 99" …: comparison and limit. */
must_check int condition_parse(
    const char *text, enum compare *compare, double *limit, struct err *e);
void condition_text(enum compare compare, double limit, char *to, size_t size);
bool condition_holds(enum compare compare, double value, double limit); /* false for NaN */

/* One answer of Prometheus (/api/v1/query) -> one number or why not. Strict: NaN and an empty
 * vector are NO_DATA, infinities and several series (without reduce) are ERROR, warnings are ERROR,
 * a sample older than max_age_ms or from the future is NO_DATA. now_ms: wall clock. */
struct reading {
	enum verdict verdict; /* VERDICT_PASS here means: value is a number */
	double value;
	bool refused; /* as in struct gate_sample */
	bool empty;   /* NO_DATA because there was no series at all: what `empty: pass` is about */
	char text[256];
};
void reading_decode(const char *body, size_t length, int http_status, enum reduce reduce,
    int64_t now_ms, int64_t max_age_ms, struct reading *reading);
/* Such an answer with several series, all of the same moment: each is called once for every one,
 * with its labels (borrowed), if all of them are good; else for none, and reading says why. */
void reading_series(const char *body, size_t length, int http_status,
    void (*each)(void *ctx, const json_t *labels, double value), void *ctx,
    struct reading *reading);
/* The sample that a value reading and (maybe) a samples reading make. samples may be NULL. */
void sample_judge(const struct gate_spec *gate, const struct reading *value,
    const struct reading *samples, struct gate_sample *sample);

/* Puts variables into a query: {{app}} {{namespace}} {{stable}} {{canary}} {{window}} ("30s")
 * {{since_weight}} (seconds). Unknown or empty ones are an error, at app check already. Values
 * are names of objects or numbers and are escaped for a quoted PromQL string. */
struct query_vars {
	const char *app, *namespace, *stable, *canary;
	int64_t window_ms, since_weight_ms;
};
must_check int query_expand(
    const char *query, const struct query_vars *vars, char **expanded, struct err *e);
must_check int query_check(const char *query, struct err *e);

#endif
