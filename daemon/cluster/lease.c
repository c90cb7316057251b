/* One request at a time: a look, a creation, a patch that renews, takes or gives back. Every patch
 * names the resourceVersion it was decided on. Whether the lease is held is read from the clock at
 * each question, so that no timer can be late. */
#include "cluster/lease.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/jsonx.h"
#include "base/log.h"
#include "model/lease.h"

#define LINGER_MS 1000	/* not wanted for so long: given back */
#define AGAIN_MS 1000	/* after no answer; less where the lease is short */
#define REFUSED_MS 5000 /* after a refusal: somebody has to do something */
#define REQUEST_MS 5000 /* at most; a third of the duration where that is less */
#define TEXT 256

struct lease {
	struct loop *loop;
	struct kube *kube;
	struct lease_events events;
	char *namespace, *name;
	struct lease_terms terms;
	struct lease_state state;
	bool wanted;
	int64_t linger_ms; /* as if it were wanted until then */
	enum lease_move asked;
	uint64_t request; /* 0: none under way */
	int64_t sent_ms;
	char acquired[48];
	int transitions;    /* what was sent */
	char problem[TEXT]; /* why the last request failed; "" : it did not */
	struct loop_timer *timer;
	bool told_held, told_idle; /* what was told last ... */
	char told[TEXT];
	const char *told_why; /* ... and its kind, for the log */
	bool from_other;      /* the last taking was from another's hands, and that is to be told */
	uint64_t lost;
};

/* --- how it stands ------------------------------------------------------------------------------
 */

static bool
is_wanted(const struct lease *lease)
{
	return lease->wanted || clock_boot_ms() < lease->linger_ms;
}

/* What is being given back counts as given back. */
bool
lease_held(const struct lease *lease)
{
	return lease->asked != LEASE_GIVE && lease_is_mine(&lease->terms, &lease->state.seen) &&
	       clock_boot_ms() < lease_until_ms(&lease->terms, &lease->state);
}

bool
lease_wanted(const struct lease *lease)
{
	return is_wanted(lease);
}

bool
lease_is_idle(const struct lease *lease)
{
	return lease->request == 0 && !is_wanted(lease) &&
	       !lease_is_mine(&lease->terms, &lease->state.seen);
}

const char *
lease_namespace(const struct lease *lease)
{
	return lease->namespace;
}

const char *
lease_name(const struct lease *lease)
{
	return lease->name;
}

bool
lease_in_other_hands(const struct lease *lease)
{
	return lease_is_anothers(&lease->terms, &lease->state);
}

uint64_t
lease_lost(const struct lease *lease)
{
	return lease->lost;
}

void
lease_why(const struct lease *lease, char *text, size_t size)
{
	const struct lease_seen *seen = &lease->state.seen;
	char duration[32];

	text[0] = '\0';
	if (lease_held(lease))
		return;
	if (lease->problem[0] != '\0') {
		str_copy(text, size, lease->problem);
	} else if (lease_is_anothers(&lease->terms, &lease->state)) {
		str_duration_text(seen->duration_ms, duration, sizeof(duration));
		str_print(text, size,
		    "another airisd (%.100s) holds lease %s/%s; this one writes when that one has "
		    "given it back or not renewed it for %s",
		    seen->holder, lease->namespace, lease->name, duration);
	} else {
		str_print(text, size, "lease %s/%s %s", lease->namespace, lease->name,
		    lease_is_mine(&lease->terms, seen) ? "has run out and is being renewed"
						       : "is being asked for");
	}
}

json_t *
lease_json(const struct lease *lease)
{
	const struct lease_seen *seen = &lease->state.seen;
	bool held = lease_held(lease), known = seen->known && seen->exists;
	json_t *json = json_object();
	char *name = str_format("%s/%s", lease->namespace, lease->name);
	char text[TEXT] = "";

	if (is_wanted(lease))
		lease_why(lease, text, sizeof(text));
	json_object_set_new(json, "name", json_string(name));
	json_object_set_new(json, "holder", json_string(known ? seen->holder : ""));
	json_object_set_new(json, "held", json_boolean(held));
	json_object_set_new(json, "wanted", json_boolean(is_wanted(lease)));
	json_object_set_new(json, "renewed_s",
	    known && is_wanted(lease) ? json_integer((clock_boot_ms() - seen->since_ms) / 1000)
				      : json_null());
	json_object_set_new(json, "text", json_string(text));
	free(name);
	return json;
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void on_answer(void *ctx, const struct kube_answer *answer);

static void
now_text(char *to, size_t size)
{
	str_micro_text(clock_wall_ms(), to, size);
}

static void
send(struct lease *lease, const char *method, const char *type, json_t *body)
{
	bool post = strcmp(method, "POST") == 0;
	char *path = str_format("/apis/coordination.k8s.io/v1/namespaces/%s/leases%s%s",
	    lease->namespace, post ? "" : "/", post ? "" : lease->name);
	char *text = body == NULL ? NULL : jsonx_dump(body);
	int64_t third_ms = lease->terms.duration_ms / 3;
	struct kube_call call = {.lane = KUBE_VITAL,
	    .method = method,
	    .path = path,
	    .content_type = type,
	    .body = text,
	    .deadline_ms = third_ms < REQUEST_MS ? third_ms : REQUEST_MS,
	    .done = on_answer,
	    .ctx = lease};

	lease->sent_ms = clock_boot_ms();
	lease->request = kube_request(lease->kube, &call);
	free(text);
	free(path);
	json_decref(body);
}

/* What the lease says when it is ours. */
static json_t *
our_spec(struct lease *lease)
{
	const struct lease_seen *seen = &lease->state.seen;
	bool fresh = !seen->exists || lease_changes_hands(&lease->terms, seen);
	char now[48];

	now_text(now, sizeof(now));
	str_copy(lease->acquired, sizeof(lease->acquired),
	    fresh || seen->acquired[0] == '\0' ? now : seen->acquired);
	lease->transitions = seen->transitions + (seen->exists && fresh);
	return json_pack("{s:s, s:I, s:s, s:s, s:i}", "holderIdentity", lease->terms.holder,
	    "leaseDurationSeconds", (json_int_t)(lease->terms.duration_ms + 999) / 1000,
	    "acquireTime", lease->acquired, "renewTime", now, "leaseTransitions",
	    lease->transitions);
}

static void
patch(struct lease *lease, json_t *spec)
{
	send(lease, "PATCH", "application/merge-patch+json",
	    json_pack("{s:{s:s}, s:o}", "metadata", "resourceVersion", lease->state.seen.version,
		"spec", spec));
}

static void
give(struct lease *lease)
{
	char now[48];

	now_text(now, sizeof(now));
	patch(lease, json_pack("{s:s, s:s}", "holderIdentity", "", "renewTime", now));
}

static void
start(struct lease *lease, enum lease_move move)
{
	lease->asked = move;
	switch (move) {
	case LEASE_REST:
		break;
	case LEASE_READ:
		send(lease, "GET", NULL, NULL);
		break;
	case LEASE_CREATE:
		send(lease, "POST", NULL,
		    json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion",
			"coordination.k8s.io/v1", "kind", "Lease", "metadata", "name", lease->name,
			"namespace", lease->namespace, "spec", our_spec(lease)));
		break;
	case LEASE_TAKE:
		patch(lease, our_spec(lease));
		break;
	case LEASE_GIVE:
		give(lease);
		break;
	}
}

/* --- what is told -------------------------------------------------------------------------------
 */

static void
log_change(const struct lease *lease, bool held, const char *why)
{
	const char *cluster = kube_name(lease->kube);

	if (held)
		log_info("lease", "cluster %s: lease %s/%s is held", cluster, lease->namespace,
		    lease->name);
	else if (!is_wanted(lease))
		log_info("lease", "cluster %s: lease %s/%s was given back", cluster,
		    lease->namespace, lease->name);
	else
		log_warn("lease", "cluster %s: nothing is written: %s", cluster, why);
}

static const char waiting_for_answer[] = "asked", in_other_hands[] = "other",
		  it_failed[] = "failed", is_ours[] = "held", is_unwanted[] = "unwanted";

/* Texts of errors may change with every attempt: only a new kind is worth a line in the log. */
static const char *
kind_of(const struct lease *lease, bool held)
{
	if (held)
		return is_ours;
	if (!is_wanted(lease))
		return is_unwanted;
	if (lease->problem[0] != '\0')
		return it_failed;
	return lease_is_anothers(&lease->terms, &lease->state) ? in_other_hands
							       : waiting_for_answer;
}

static void
tell(struct lease *lease)
{
	bool held = lease_held(lease), idle = lease_is_idle(lease);
	bool other = held && lease->from_other;
	const char *kind = kind_of(lease, held);
	char why[TEXT];

	lease_why(lease, why, sizeof(why));
	if (held == lease->told_held && idle == lease->told_idle && strcmp(why, lease->told) == 0)
		return;
	lease->lost += lease->told_held && !held && is_wanted(lease);
	if (kind != lease->told_why && kind != waiting_for_answer)
		log_change(lease, held, why);
	lease->told_why = kind;
	lease->told_held = held;
	lease->told_idle = idle;
	lease->from_other = lease->from_other && !held;
	str_copy(lease->told, sizeof(lease->told), why);
	lease->events.changed(lease->events.ctx, other);
}

/* --- the next move ------------------------------------------------------------------------------
 */

static void
set_timer(struct lease *lease, int64_t at_ms)
{
	int64_t now_ms = clock_boot_ms();
	int64_t until_ms = lease_until_ms(&lease->terms, &lease->state);

	/* When it runs out that is told, whatever else is under way. */
	if (until_ms > now_ms && (at_ms == 0 || until_ms < at_ms))
		at_ms = until_ms;
	if (!lease->wanted && lease->linger_ms > now_ms && (at_ms == 0 || lease->linger_ms < at_ms))
		at_ms = lease->linger_ms;
	if (at_ms == 0)
		loop_timer_clear(lease->timer);
	else
		loop_timer_set(lease->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

static void
step(void *ctx)
{
	struct lease *lease = ctx;
	int64_t at_ms = 0;

	if (lease->request == 0) {
		enum lease_move move = lease_next(
		    &lease->terms, &lease->state, is_wanted(lease), clock_boot_ms(), &at_ms);

		start(lease, move);
	}
	set_timer(lease, at_ms);
	tell(lease);
}

void
lease_poke(struct lease *lease)
{
	loop_timer_set(lease->timer, 0);
}

void
lease_want(struct lease *lease, bool wanted)
{
	if (lease->wanted && !wanted)
		lease->linger_ms = clock_boot_ms() + LINGER_MS;
	lease->wanted = wanted;
	lease_poke(lease);
}

void
lease_drop(struct lease *lease)
{
	lease->wanted = false;
	lease->linger_ms = 0;
	lease->state.again_ms = 0;
	lease_poke(lease);
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void
make_plain(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void
see(const struct lease *lease, const json_t *body, struct lease_seen *seen)
{
	const json_t *spec = json_object_get(body, "spec");
	int64_t seconds = jsonx_int(spec, "leaseDurationSeconds", 0);

	*seen = (struct lease_seen){.known = true,
	    .exists = true,
	    .duration_ms = seconds > 0 ? seconds * 1000 : lease->terms.duration_ms,
	    .transitions = (int)jsonx_int(spec, "leaseTransitions", 0),
	    .since_ms = clock_boot_ms()};
	str_copy(seen->holder, sizeof(seen->holder), jsonx_text_or(spec, "holderIdentity", ""));
	make_plain(seen->holder); /* anybody may have written it */
	str_copy(seen->renewed, sizeof(seen->renewed), jsonx_text_or(spec, "renewTime", ""));
	str_copy(seen->acquired, sizeof(seen->acquired), jsonx_text_or(spec, "acquireTime", ""));
	str_copy(seen->version, sizeof(seen->version),
	    jsonx_text_or(body, "metadata.resourceVersion", ""));
}

static void
on_good(struct lease *lease, enum lease_move asked, const json_t *body)
{
	struct lease_seen seen;
	bool other = lease->state.other;

	see(lease, body, &seen);
	if (asked == LEASE_READ)
		lease_saw(&lease->terms, &lease->state, &seen, seen.since_ms);
	/* That it can be read does not mend what failed, unless it is not ours to take. */
	if (asked != LEASE_READ || lease_is_anothers(&lease->terms, &lease->state))
		lease->problem[0] = '\0';
	if (asked == LEASE_READ)
		return;
	if (asked == LEASE_GIVE) {
		lease_gave(&lease->state, &seen);
	} else {
		lease_took(&lease->state, &seen, lease->sent_ms);
		lease->from_other |= other;
	}
}

static void
retry_in(struct lease *lease, int64_t ms)
{
	int64_t most_ms = lease->terms.duration_ms / 10;

	if (ms == AGAIN_MS && most_ms < ms)
		ms = most_ms;
	lease->state.again_ms = clock_boot_ms() + ms + (int64_t)(id_random() * (double)ms / 4);
}

static bool
is_absent(const struct lease *lease, enum lease_move asked, const struct kube_answer *answer)
{
	return answer->status == 404 && strcmp(answer->reason, "NotFound") == 0 &&
	       asked != LEASE_CREATE &&
	       str_equal(jsonx_text(answer->body, "details.name"), lease->name);
}

/* Refused: an administrator's turn, so it says what to do. */
static void
note_refusal(struct lease *lease, const struct kube_answer *answer)
{
	char said[112];

	str_copy(said, sizeof(said), answer->message);
	str_print(lease->problem, sizeof(lease->problem),
	    "lease %s/%s: HTTP %d %s; apply config/rbac.yaml, or set clusters[].lease.enabled: "
	    "false for one airisd alone",
	    lease->namespace, lease->name, answer->status, said);
	retry_in(lease, REFUSED_MS);
}

static void
on_bad(struct lease *lease, enum lease_move asked, const struct kube_answer *answer)
{
	bool answered = answer->outcome == KUBE_ANSWERED;

	if (answered && is_absent(lease, asked, answer)) {
		lease_saw(&lease->terms, &lease->state, &(struct lease_seen){.exists = false},
		    clock_boot_ms());
		return;
	}
	/* What is there now is to be looked at first. Without an answer to a taking it is tried
	 * again as it was: if it was carried out, the version says so. */
	lease->state.seen.known = lease->state.seen.known && asked == LEASE_TAKE && !answered;
	if (asked == LEASE_GIVE)
		lease_let_go(&lease->state);
	if (answered && answer->status == 409) {
		lease->problem[0] = '\0';
		return;
	}
	if (answered && answer->status < 500 && answer->status != 429) {
		note_refusal(lease, answer);
		return;
	}
	str_print(lease->problem, sizeof(lease->problem), "lease %s/%s: %s%s", lease->namespace,
	    lease->name, answered ? "the API server said: " : "", answer->message);
	retry_in(lease, answer->retry_after_ms > AGAIN_MS ? answer->retry_after_ms : AGAIN_MS);
}

static void
on_answer(void *ctx, const struct kube_answer *answer)
{
	struct lease *lease = ctx;
	enum lease_move asked = lease->asked;

	lease->request = 0;
	lease->asked = LEASE_REST;
	if (answer->outcome == KUBE_ANSWERED && answer->status / 100 == 2 && answer->body != NULL)
		on_good(lease, asked, answer->body);
	else
		on_bad(lease, asked, answer);
	step(lease);
}

/* --- life ---------------------------------------------------------------------------------------
 */

void
lease_identity(
    const char *host, const char *id, const char *where, const char *cluster, char *to, size_t size)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char hex[17], *whole = str_format("%s\n%s\n%s\n%s", host, id, where, cluster);

	SHA256((const unsigned char *)whole, strlen(whole), digest);
	hex_write(digest, 8, hex);
	str_print(to, size, "%.63s %s", host, hex);
	make_plain(to);
	free(whole);
}

struct lease *
lease_new(struct loop *loop, struct kube *kube, const struct lease_settings *settings,
    const struct lease_events *events)
{
	struct lease *lease = mem_alloc(sizeof(*lease));

	lease->loop = loop;
	lease->kube = kube;
	lease->events = *events;
	lease->namespace = mem_strdup(settings->namespace);
	lease->name = mem_strdup(settings->name);
	lease->terms.duration_ms = settings->duration_ms;
	str_copy(lease->terms.identity, sizeof(lease->terms.identity) - 10, settings->identity);
	str_print(lease->terms.holder, sizeof(lease->terms.holder), "%s.%08" PRIx32,
	    lease->terms.identity, (uint32_t)(id_random() * 4294967296.0));
	lease->timer = loop_timer_new(loop, step, lease);
	lease->told_idle = true;
	lease_why(lease, lease->told, sizeof(lease->told));
	return lease;
}

void
lease_free(struct lease *lease)
{
	if (lease == NULL)
		return;
	if (lease->request != 0)
		kube_cancel(lease->kube, lease->request);
	loop_timer_free(lease->timer);
	free(lease->namespace);
	free(lease->name);
	free(lease);
}
