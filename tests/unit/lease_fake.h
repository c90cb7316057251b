/* A fake API server with one Lease in it, beside the objects of cluster_fake.h, and a clock that
 * runs on in suspend and can be moved. */
#ifndef TESTS_UNIT_LEASE_FAKE_H
#define TESTS_UNIT_LEASE_FAKE_H

#include "cluster_fake.h"

#include <dlfcn.h>
#include <time.h>

#define DURATION_MS 600 /* others are told 1 s */
#define OTHER "ops-2 bbbb.02"

static int64_t slept_ms;

int
clock_gettime(clockid_t which, struct timespec *to)
{
	static int (*real)(clockid_t, struct timespec *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(which, to);
	if (which == CLOCK_BOOTTIME)
		to->tv_sec += slept_ms / 1000;
	return result;
}

/* --- the server ---------------------------------------------------------------------------------
 */

static struct {
	bool exists, namespace, hangs;
	int version, transitions, seconds;
	char holder[160], renewed[48];
	char refuse[8]; /* this method gets: */
	int status;
	int gets, posts, patches, conflicts;
} server;

static int writes; /* of the app's objects */

static void
answer_status(
    struct fake_conn *conn, int status, const char *reason, const char *message, const char *name)
{
	char *body = str_format("{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"%s\","
				"\"message\":\"%s\",\"details\":{\"name\":\"%s\"},\"code\":%d}",
	    reason, message, name, status);

	fake_answer(conn, status, body);
	free(body);
}

static void
answer_lease(struct fake_conn *conn, int status)
{
	char *body = str_format(
	    "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"airisd\",\"namespace\":\"airis\","
	    "\"resourceVersion\":\"%d\"},\"spec\":{\"holderIdentity\":\"%s\","
	    "\"leaseDurationSeconds\":%d,\"renewTime\":\"%s\",\"acquireTime\":\"%s\","
	    "\"leaseTransitions\":%d}}",
	    server.version, server.holder, server.seconds, server.renewed, "then",
	    server.transitions);

	fake_answer(conn, status, body);
	free(body);
}

static void
store(const json_t *body)
{
	const json_t *spec = json_object_get(body, "spec");

	server.exists = true;
	server.version++;
	str_copy(server.holder, sizeof(server.holder), jsonx_text_or(spec, "holderIdentity", "?"));
	str_copy(server.renewed, sizeof(server.renewed), jsonx_text_or(spec, "renewTime", "?"));
	server.seconds = (int)jsonx_int(spec, "leaseDurationSeconds", server.seconds);
	server.transitions = (int)jsonx_int(spec, "leaseTransitions", server.transitions);
}

static void
patch_lease(struct fake_conn *conn, const json_t *body)
{
	const char *version = jsonx_text_or(body, "metadata.resourceVersion", "none");
	char now[16];

	server.patches++;
	str_print(now, sizeof(now), "%d", server.version);
	if (!server.exists) {
		answer_status(conn, 404, "NotFound", "gone", "airisd");
	} else if (strcmp(version, now) != 0) {
		server.conflicts++;
		answer_status(conn, 409, "Conflict", "modified", "airisd");
	} else {
		store(body);
		answer_lease(conn, 200);
	}
}

static void
create_lease(struct fake_conn *conn, const json_t *body)
{
	server.posts++;
	if (!server.namespace) {
		answer_status(conn, 404, "NotFound", "namespaces \\\"airis\\\" not found", "airis");
	} else if (server.exists) {
		answer_status(conn, 409, "AlreadyExists", "exists", "airisd");
	} else {
		store(body);
		answer_lease(conn, 201);
	}
}

static void
lease_handler(struct fake_conn *conn)
{
	json_t *body;
	struct err e;

	if (strstr(conn->path, "/namespaces/airis/leases") == NULL) {
		fake_answer(conn, 200, "{}"); /* is it alive? */
		return;
	}
	if (server.hangs)
		return;
	if (strcmp(conn->method, server.refuse) == 0) {
		answer_status(conn, server.status, "Refused", "no", "");
		return;
	}
	body = jsonx_parse(conn->body, strlen(conn->body), 1 << 20, &e);
	if (strcmp(conn->method, "GET") == 0) {
		server.gets++;
		if (server.exists)
			answer_lease(conn, 200);
		else
			answer_status(conn, 404, "NotFound", "not found", "airisd");
	} else if (strcmp(conn->method, "POST") == 0) {
		create_lease(conn, body);
	} else {
		patch_lease(conn, body);
	}
	json_decref(body);
}

/* Somebody else, from elsewhere. */
static void
other_writes(const char *holder)
{
	server.exists = true;
	server.version += 10;
	server.seconds = 1;
	server.transitions++;
	str_copy(server.holder, sizeof(server.holder), holder);
	str_print(server.renewed, sizeof(server.renewed), "t%d", server.version);
}

static int
write_app(struct fake_conn *conn)
{
	writes++;
	fake_answer(conn, 200,
	    "{\"kind\":\"VirtualService\",\"metadata\":{\"name\":\"web\",\"namespace\":\"prod\","
	    "\"resourceVersion\":\"2000\"}}");
	return 0;
}

#endif
