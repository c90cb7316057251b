/* watch: see watch.h. Always true: a stream that is suspended has nothing to send, or is mute;
 * it is woken at the end of the turn in which a change of its kind was stored. */
#include "watch.h"

#include "jx.h"
#include "plan.h"
#include "status.h"
#include "table.h"
#include "util.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
	struct watch_spec spec;
	char *path;
	struct MHD_Connection *connection;
	struct buf out; /* what is still to be sent, from sent on */
	size_t sent;
	uint64_t pos, seen; /* cursor in the history; rv of the last record read */
	uint64_t end_at, mark_at;
	bool suspended, mute, cut, ended, spoke, woken;
	struct watch *next;
};

static struct watch *all;
static size_t count;
static uint64_t mark_every;
static bool kind_changed[K_COUNT], any_changed;

static void
say(struct watch *w, const char *type, const json_t *object)
{
	char version[96], *text;
	json_t *copy = NULL;
	size_t len;

	if (strcmp(w->spec.version, w->spec.kind->version) != 0) {
		copy = json_copy((json_t *)object);
		jx_set_str(
		    copy, "apiVersion", kind_api_version(w->spec.kind, w->spec.version, version));
		object = copy;
	}
	if (w->spec.table && strcmp(type, "BOOKMARK") != 0) {
		json_t *one = json_pack("[O]", object);

		json_decref(copy);
		object = copy = table_new(w->spec.kind, one, NULL);
		json_decref(one);
	}
	text = jx_dump(object, &len);
	buf_fmt(&w->out, "{\"type\":\"%s\",\"object\":", type);
	buf_add(&w->out, text, len);
	buf_str(&w->out, "}\n");
	free(text);
	json_decref(copy);
	w->spoke = true;
}

static void
say_expired(struct watch *w, uint64_t rv)
{
	char *message = xfmt("too old resource version: %llu (%llu)", (unsigned long long)rv,
	    (unsigned long long)store_rv());
	json_t *body = status_body(410, "Expired", message, NULL);
	char *text = jx_dump(body, NULL);

	buf_fmt(&w->out, "{\"type\":\"ERROR\",\"object\":%s}\n", text);
	free(text);
	free(message);
	json_decref(body);
	w->ended = true;
}

static void
say_bookmark(struct watch *w)
{
	char version[96];
	json_t *o = json_pack("{s:s, s:s, s:{s:o, s:n}}", "kind", w->spec.kind->name, "apiVersion",
	    kind_api_version(w->spec.kind, w->spec.version, version), "metadata", "resourceVersion",
	    json_sprintf("%llu", (unsigned long long)store_rv()), "creationTimestamp");

	say(w, "BOOKMARK", o);
	json_decref(o);
}

static bool
in_scope(const struct watch *w, const json_t *o)
{
	const char *ns;

	if (w->spec.ns[0] != '\0') {
		ns = jx_str(o, "metadata.namespace");
		if (ns == NULL || strcmp(ns, w->spec.ns) != 0)
			return false;
	}
	return selector_match(w->spec.selector, o);
}

static void
say_record(struct watch *w, const struct record *rec)
{
	bool now = rec->change != DELETED && in_scope(w, rec->json);
	bool then = rec->before != NULL && in_scope(w, rec->before);

	if (now)
		say(w, then ? "MODIFIED" : "ADDED", rec->json);
	else if (then)
		say(w, "DELETED", rec->json);
}

/* The state as it is, as a watch with no resourceVersion begins. */
static void
say_state(struct watch *w)
{
	size_t from, to, n;
	struct obj **objs = store_all(w->spec.kind, &n);

	store_range(w->spec.kind, w->spec.ns, &from, &to);
	for (; from < to; from++)
		if (in_scope(w, objs[from]->json))
			say(w, "ADDED", objs[from]->json);
}

struct watch *
watch_new(const struct watch_spec *spec)
{
	struct watch *w = xalloc(sizeof(*w));

	w->spec = *spec;
	w->path = xdup(spec->path);
	w->end_at = now_ms() + 1000 * (spec->timeout_s ? spec->timeout_s : 1800 + rnd_below(1800));
	w->mark_at = now_ms() + mark_every;
	w->seen = spec->rv;
	if (spec->rv == 0) {
		say_state(w);
		w->seen = store_rv();
	} else if (store_expired(spec->kind, spec->rv)) {
		say_expired(w, spec->rv);
	}
	w->pos = store_seek(spec->kind, w->seen);
	w->next = all;
	all = w;
	count++;
	return w;
}

void
watch_attach(struct watch *w, struct MHD_Connection *c)
{
	w->connection = c;
}

/* Reads on in the history until there is enough to send. */
static void
advance(struct watch *w)
{
	const struct record *rec;
	bool lost = false;

	while (w->out.len - w->sent < 65536 && !w->ended) {
		rec = store_next(w->spec.kind, &w->pos, &lost);
		if (lost)
			w->ended = true;
		if (rec == NULL)
			break;
		if (rec->rv > w->seen)
			say_record(w, rec);
	}
}

static void
tick(struct watch *w)
{
	uint64_t now = now_ms();

	if (w->spec.bookmarks && w->spoke && now >= w->mark_at && !w->ended) {
		say_bookmark(w);
		w->mark_at = now + mark_every;
	}
	if (now >= w->end_at)
		w->ended = true;
}

static int
socket_of(const struct watch *w)
{
	return MHD_get_connection_info(w->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
	    ->connect_fd;
}

/* The server leaves the header of an answer to go out with its body (MSG_MORE); a watch with
 * nothing to say yet must not keep its client waiting for the header. */
static void
push_header(const struct watch *w)
{
	int on = 1, off = 0;

	setsockopt(socket_of(w), IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	setsockopt(socket_of(w), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Whether the other side closed; a suspended connection is not watched by the server. */
static bool
hung_up(struct watch *w)
{
	struct pollfd p = {.fd = socket_of(w), .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

ssize_t
watch_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct watch *w = arg;
	ssize_t n = 0;

	(void)pos;
	big_lock();
	w->woken = false;
	w->suspended = false;
	if (!w->cut && !w->mute) {
		advance(w);
		tick(w);
	}
	if (w->cut) {
		n = MHD_CONTENT_READER_END_WITH_ERROR;
	} else if (w->out.len > w->sent && !w->mute) {
		n = (ssize_t)(w->out.len - w->sent < max ? w->out.len - w->sent : max);
		memcpy(out, w->out.p + w->sent, (size_t)n);
		w->sent += (size_t)n;
		if (w->sent == w->out.len) {
			w->sent = 0;
			buf_free(&w->out);
		}
	} else if (w->ended && !w->mute) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		push_header(w);
		w->suspended = true;
		MHD_suspend_connection(w->connection);
	}
	big_unlock();
	return n;
}

void
watch_end(void *arg)
{
	struct watch *w = arg, **p;

	big_lock();
	for (p = &all; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	count--;
	big_unlock();
	selector_free(w->spec.selector);
	buf_free(&w->out);
	free(w->path);
	free(w);
}

static void
wake(struct watch *w)
{
	if (!w->suspended || w->woken)
		return;
	w->woken = true;
	MHD_resume_connection(w->connection);
}

static void
housekeeping(void *arg)
{
	static unsigned turn;
	uint64_t now = now_ms();

	turn++;
	for (struct watch *w = all; w != NULL; w = w->next) {
		if (w->connection == NULL || !w->suspended || w->woken)
			continue;
		if (turn % 4 == 0 && hung_up(w)) {
			w->cut = true;
			wake(w);
		} else if (!w->mute && (now >= w->end_at ||
					   (w->spec.bookmarks && w->spoke && now >= w->mark_at))) {
			wake(w);
		}
	}
	plan_call(250, housekeeping, arg);
}

static void
note(struct obj *o, enum change change, json_t *before)
{
	(void)change;
	(void)before;
	kind_changed[o->kind->id] = any_changed = true;
}

static void
wake_changed(void)
{
	if (!any_changed)
		return;
	for (struct watch *w = all; w != NULL; w = w->next)
		if (kind_changed[w->spec.kind->id] && !w->mute)
			wake(w);
	memset(kind_changed, 0, sizeof(kind_changed));
	any_changed = false;
}

size_t
watch_cut(bool (*match)(const struct kind *, const char *, const void *), const void *arg)
{
	size_t n = 0;

	for (struct watch *w = all; w != NULL; w = w->next)
		if (match(w->spec.kind, w->path, arg)) {
			w->cut = true;
			wake(w);
			n++;
		}
	return n;
}

size_t
watch_mute(bool (*match)(const struct kind *, const char *, const void *), const void *arg)
{
	size_t n = 0;

	for (struct watch *w = all; w != NULL; w = w->next)
		if (match(w->spec.kind, w->path, arg)) {
			w->mute = true;
			n++;
		}
	return n;
}

static bool
every(const struct kind *k, const char *path, const void *arg)
{
	return k != NULL && path != NULL && arg == NULL;
}

void
watch_end_all(void)
{
	watch_cut(every, NULL);
}

size_t
watch_count(void)
{
	return count;
}

void
watch_init(uint64_t bookmark_ms)
{
	mark_every = bookmark_ms;
	store_listen(note);
	plan_before_unlock(wake_changed);
	plan_call(250, housekeeping, NULL);
}
