/* rules: see rules.h. */
#include "rules.h"

#include "jx.h"
#include "util.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum how { ANY, EXACT, PREFIX, REGEX, NEVER };

/* One header of one alternative; an alternative holds if all of its conditions do. */
struct condition {
	size_t match; /* which alternative */
	char name[64];
	enum how how;
	char text[256];
	regex_t re;
};

void
short_name(const char *host, char *out, size_t cap)
{
	snprintf(out, cap, "%.*s", (int)strcspn(host, "."), host);
}

static void
add_condition(struct rule *r, const char *name, const json_t *how)
{
	static const char *const words[] = {"", "exact", "prefix", "regex"};
	struct condition c = {.match = r->nmatches, .how = how == NULL ? NEVER : ANY};
	char whole[300];

	snprintf(c.name, sizeof(c.name), "%s", name);
	for (enum how h = EXACT; h <= REGEX; h++) {
		const char *text = jx_str(how, words[h]);

		if (text == NULL)
			continue;
		c.how = h;
		snprintf(c.text, sizeof(c.text), "%s", text);
		break;
	}
	if (c.how == REGEX) {
		snprintf(whole, sizeof(whole), "^(%s)$", c.text);
		if (regcomp(&c.re, whole, REG_EXTENDED | REG_NOSUB) != 0)
			c.how = NEVER;
	}
	r->conditions = xgrow(r->conditions, (r->nconditions + 1) * sizeof(c));
	r->conditions[r->nconditions++] = c;
}

static bool
holds(const struct condition *c, const char *value)
{
	switch (c->how) {
	case ANY:
		return true;
	case EXACT:
		return strcmp(value, c->text) == 0;
	case PREFIX:
		return starts_with(value, c->text);
	case REGEX:
		return regexec(&c->re, value, 0, NULL, 0) == 0;
	case NEVER:
		break;
	}
	return false;
}

bool
rule_matches(const struct rule *r, const char *header, const char *value)
{
	for (size_t m = 0; m < r->nmatches; m++) {
		bool all = true;

		for (size_t i = 0; i < r->nconditions && all; i++) {
			const struct condition *c = &r->conditions[i];

			if (c->match == m)
				all = strcasecmp(c->name, header) == 0 && holds(c, value);
		}
		if (all)
			return true;
	}
	return r->nmatches == 0;
}

/* --- a VirtualService ---------------------------------------------------------------------- */

/* Every request is for "/"; a match on anything but headers and uri holds never. */
static void
add_match(struct rule *r, json_t *match)
{
	const char *field, *name;
	json_t *how, *header;

	json_object_foreach(match, field, how)
	{
		if (strcmp(field, "headers") == 0) {
			json_object_foreach(how, name, header) add_condition(r, name, header);
		} else if (strcmp(field, "uri") == 0) {
			size_t at = r->nconditions;

			add_condition(r, "uri", how);
			if (holds(&r->conditions[at], "/")) {
				if (r->conditions[at].how == REGEX)
					regfree(&r->conditions[at].re);
				r->nconditions--;
			}
		} else if (strcmp(field, "name") != 0) {
			add_condition(r, "(not modelled)", NULL);
		}
	}
	r->nmatches++;
}

static void
set_dest(struct dest *d, const json_t *destination, double weight)
{
	const char *host = jx_str(destination, "host"), *subset = jx_str(destination, "subset");

	short_name(host != NULL ? host : "", d->host, sizeof(d->host));
	snprintf(d->subset, sizeof(d->subset), "%s", subset != NULL ? subset : "");
	d->weight = weight;
}

static double
number(const json_t *v, double otherwise)
{
	return json_is_number(v) ? json_number_value(v) : otherwise;
}

static void
read_rule(struct rule *r, const json_t *http)
{
	json_t *routes = json_object_get(http, "route"), *x;
	size_t i;

	json_array_foreach(json_object_get(http, "match"), i, x) add_match(r, x);
	r->to = xalloc(json_array_size(routes) * sizeof(*r->to));
	json_array_foreach(routes, i, x)
	    set_dest(&r->to[r->nto++], json_object_get(x, "destination"),
		json_array_size(routes) == 1 ? 100 : number(json_object_get(x, "weight"), 0));
	if (jx_str(http, "mirror.host") != NULL) {
		r->mirrored = true;
		set_dest(&r->mirror, json_object_get(http, "mirror"),
		    number(jx_at(http, "mirrorPercentage.value"), 100));
	}
}

/* --- an HTTPRoute -------------------------------------------------------------------------- */

static void
set_backend(struct dest *d, const json_t *ref, double weight)
{
	const char *kind = jx_str(ref, "kind"), *name = jx_str(ref, "name");
	const char *group = jx_str(ref, "group");
	bool service = (kind == NULL || strcmp(kind, "Service") == 0) &&
		       (group == NULL || *group == '\0') && jx_str(ref, "namespace") == NULL;

	/* No Service has a slash in its name: what is sent there is lost. */
	snprintf(d->host, sizeof(d->host), "%s%s", service ? "" : "not-a-service/",
	    name != NULL ? name : "");
	d->subset[0] = '\0';
	d->weight = weight;
}

static void
read_mirror(struct rule *r, const json_t *filters)
{
	json_t *f, *mirror, *percent;
	size_t i;

	json_array_foreach((json_t *)filters, i, f)
	{
		mirror = json_object_get(f, "requestMirror");
		if (jx_str(mirror, "backendRef.name") == NULL)
			continue;
		r->mirrored = true;
		percent = json_object_get(mirror, "percent");
		set_backend(&r->mirror, json_object_get(mirror, "backendRef"),
		    jx_at(mirror, "fraction") == NULL
			? number(percent, 100)
			: 100 * number(jx_at(mirror, "fraction.numerator"), 0) /
			      number(jx_at(mirror, "fraction.denominator"), 100));
	}
}

static void
add_exact_or_regex(struct rule *r, const char *name, const json_t *how)
{
	const char *type = jx_str(how, "type"), *value = jx_str(how, "value");
	bool regex = type != NULL && strcmp(type, "RegularExpression") == 0;
	json_t *as = json_pack("{s:s}", regex ? "regex" : "exact", value != NULL ? value : "");

	add_condition(r, name, as);
	json_decref(as);
}

/* Every request is a GET of "/". Returns the rank of the path: an exact one before a prefix
 * before an expression; 0: it does not match. */
static unsigned
path_rank(const json_t *path)
{
	const char *type = jx_str(path, "type"), *value = jx_str(path, "value");
	struct rule scratch = {0};
	bool matches;

	if (type != NULL && strcmp(type, "RegularExpression") == 0) {
		add_exact_or_regex(&scratch, "path", path);
		matches = holds(&scratch.conditions[0], "/");
		if (scratch.conditions[0].how == REGEX)
			regfree(&scratch.conditions[0].re);
		free(scratch.conditions);
		return matches ? 1 : 0;
	}
	if (value != NULL && strcmp(value, "/") != 0)
		return 0;
	return type != NULL && strcmp(type, "Exact") == 0 ? 3 : 2;
}

static void
read_gateway_match(struct rule *r, const json_t *match)
{
	json_t *headers = json_object_get(match, "headers"), *h;
	const char *method = jx_str(match, "method");
	unsigned path = path_rank(json_object_get(match, "path"));
	size_t i;

	json_array_foreach(headers, i, h)
	    add_exact_or_regex(r, jx_str(h, "name") != NULL ? jx_str(h, "name") : "", h);
	if (path == 0 || (method != NULL && strcmp(method, "GET") != 0) ||
	    json_array_size(json_object_get(match, "queryParams")) > 0)
		add_condition(r, "(never)", NULL);
	r->nmatches++;
	r->rank = path * 1000 + (method != NULL ? 100 : 0) + (unsigned)json_array_size(headers);
}

/* Behind those that are as specific. */
static void
insert_rule(struct route *route, const struct rule *r)
{
	size_t at = route->nrules++;

	route->rules = xgrow(route->rules, route->nrules * sizeof(*r));
	for (; at > 0 && route->rules[at - 1].rank < r->rank; at--)
		route->rules[at] = route->rules[at - 1];
	route->rules[at] = *r;
}

/* Each match becomes a rule of its own, for each has its own rank. */
static void
read_gateway_rule(struct route *route, const json_t *rule)
{
	json_t *refs = json_object_get(rule, "backendRefs"), *match, *ref;
	size_t i, j;

	json_array_foreach(json_object_get(rule, "matches"), i, match)
	{
		struct rule one = {0};

		read_gateway_match(&one, match);
		one.to = xalloc(json_array_size(refs) * sizeof(*one.to));
		json_array_foreach(refs, j, ref)
		    set_backend(&one.to[one.nto++], ref, number(json_object_get(ref, "weight"), 1));
		read_mirror(&one, json_object_get(rule, "filters"));
		insert_rule(route, &one);
	}
}

/* --- both ---------------------------------------------------------------------------------- */

/* "x-user=beta:10, cookie=group=a:5" (percent); the rest carries nothing. */
static void
read_clients(struct route *r, const char *text)
{
	double rest = 1;

	r->clients = xalloc(sizeof(*r->clients));
	while (text != NULL && *text != '\0') {
		size_t n = strcspn(text, ",");
		char *part = xfmt("%.*s", (int)n, text), *colon, *eq, *name = part;
		struct client c = {0};

		text += n + (text[n] == ',');
		while (*name == ' ')
			name++;
		colon = strrchr(name, ':');
		eq = strchr(name, '=');
		if (colon != NULL && eq != NULL && eq < colon) {
			c.share = strtod(colon + 1, NULL) / 100;
			snprintf(c.header, sizeof(c.header), "%.*s", (int)(eq - name), name);
			snprintf(c.value, sizeof(c.value), "%.*s", (int)(colon - eq - 1), eq + 1);
			rest -= c.share;
			r->clients = xgrow(r->clients, (r->nclients + 2) * sizeof(c));
			r->clients[r->nclients++] = c;
		}
		free(part);
	}
	r->clients[r->nclients++] = (struct client){.share = rest};
}

struct route *
route_new(const json_t *object)
{
	struct route *r = xalloc(sizeof(*r));
	const char *kind = jx_str(object, "kind");
	json_t *rules, *one;
	size_t i;

	r->gateway = kind != NULL && strcmp(kind, "HTTPRoute") == 0;
	rules = jx_at(object, r->gateway ? "spec.rules" : "spec.http");
	if (!r->gateway)
		r->rules = xalloc(json_array_size(rules) * sizeof(*r->rules));
	json_array_foreach(rules, i, one)
	{
		if (r->gateway)
			read_gateway_rule(r, one);
		else
			read_rule(&r->rules[r->nrules++], one);
	}
	read_clients(r, jx_annotation(object, "lab/headers"));
	return r;
}

void
route_free(struct route *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->nrules; i++) {
		for (size_t j = 0; j < r->rules[i].nconditions; j++)
			if (r->rules[i].conditions[j].how == REGEX)
				regfree(&r->rules[i].conditions[j].re);
		free(r->rules[i].conditions);
		free(r->rules[i].to);
	}
	free(r->rules);
	free(r->clients);
	free(r);
}
