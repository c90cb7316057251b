/* The settings of every transfer, and the texts for those that fail. */
#include "net/easy.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "base/version.h"
#include "net/tls.h"
#include "signals.h"

#define CONNECT_MS 5000L
#define TURN_MS 250

/* The name for the history; over a Unix socket the server adds the uid, which cannot lie. */
static void
set_actor(struct client *client)
{
	const char *name = getenv("AIRIS_ACTOR");
	struct passwd entry, *user = NULL;
	char room[4096];
	size_t length;

	if (name == NULL || *name == '\0') {
		name = "";
		if (getpwuid_r(getuid(), &entry, room, sizeof(room), &user) == 0 && user != NULL)
			name = user->pw_name;
	}
	str_copy(client->actor, sizeof(client->actor), "X-Airis-Actor: ");
	length = strlen(client->actor);
	for (; *name != '\0' && length < 15 + 128; name++) {
		if (*name >= ' ' && *name <= '~')
			client->actor[length++] = *name;
	}
	client->actor[length] = '\0';
}

int
client_new(const struct settings *settings, struct client **client, struct err *e)
{
	struct client *c;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, "libcurl cannot be started");
	c = mem_alloc(sizeof(*c));
	c->multi = curl_multi_init();
	c->settings = settings;
	set_actor(c);
	if (settings->token != NULL)
		c->authorization = str_format("Authorization: Bearer %s", settings->token);
	*client = c;
	return 0;
}

void
client_free(struct client *client)
{
	if (client == NULL)
		return;
	curl_multi_cleanup(client->multi);
	if (client->authorization != NULL)
		mem_wipe(client->authorization, strlen(client->authorization));
	free(client->authorization);
	free(client);
	curl_global_cleanup();
}

void
client_on_idle(struct client *client, void (*idle)(void *ctx), void *ctx)
{
	client->idle = idle;
	client->idle_ctx = ctx;
}

int64_t
client_now_ms(const struct client *client)
{
	return clock_wall_ms() + client->skew_ms;
}

const char *
client_server(const struct client *client)
{
	return client->settings->server_given;
}

/* curl would ask a proxy of the environment even for this very machine. */
static bool
is_local(const struct settings *settings)
{
	const char *host = strstr(settings->server, "://");

	if (settings->socket != NULL || host == NULL)
		return true;
	host += 3;
	return str_starts(host, "localhost") || str_starts(host, "127.") ||
	       str_starts(host, "[::1]");
}

CURL *
easy_new(struct client *client, const char *path, struct curl_slist **headers)
{
	const struct settings *settings = client->settings;
	CURL *easy = curl_easy_init();
	char *url = str_format("%s%s", settings->server, path);
	char *error = mem_alloc(CURL_ERROR_SIZE);
	char agent[64];

	str_print(agent, sizeof(agent), "airisctl/%s", version_text());
	curl_easy_setopt(easy, CURLOPT_URL, url);
	free(url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, error);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (settings->socket != NULL)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, settings->socket);
	if (is_local(settings))
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	tls_set(easy, settings);
	if (client->authorization != NULL)
		*headers = curl_slist_append(*headers, client->authorization);
	*headers = curl_slist_append(*headers, client->actor);
	return easy;
}

static const char *
error_of(CURL *easy)
{
	char *error = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &error);
	return error;
}

void
easy_free(CURL *easy)
{
	char *error = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &error);
	curl_easy_cleanup(easy);
	free(error);
}

void
easy_note_date(struct client *client, const char *line, size_t length)
{
	char text[64];
	time_t at;

	if (length < 6 || length >= sizeof(text) || strncasecmp(line, "date:", 5) != 0)
		return;
	str_print(text, sizeof(text), "%.*s", (int)(length - 5), line + 5);
	at = curl_getdate(text, NULL);
	if (at < 0)
		return;
	/* Date has no fractions: less than two seconds is no difference at all. */
	client->skew_ms = (int64_t)at * 1000 + 500 - clock_wall_ms();
	if (client->skew_ms > -2000 && client->skew_ms < 2000)
		client->skew_ms = 0;
}

static void
explain_socket(const struct settings *settings, struct err *e)
{
	const char *path = settings->socket;

	if (access(path, F_OK) < 0 && errno == EACCES)
		err_set(e,
		    "you may not enter the folder of the socket %s; airisd's administrator can "
		    "add you to its group (check with: id)",
		    path);
	else if (access(path, F_OK) < 0)
		err_set(e,
		    "there is no socket %s (%s): is airisd running here (systemctl status airisd)? "
		    "Another address goes into --server or AIRIS_SERVER",
		    path, settings->server_from);
	else if (access(path, R_OK | W_OK) < 0)
		err_set(e,
		    "you may not open the socket %s; airisd's administrator can add you to its "
		    "group (check with: ls -l %s; id)",
		    path, path);
	else
		err_set(e,
		    "nobody listens on the socket %s: airisd has stopped or was killed (systemctl "
		    "status airisd; journalctl -u airisd)",
		    path);
}

static void
explain_connect(const struct settings *settings, CURLcode code, const char *why, struct err *e)
{
	const char *server = settings->server_given, *from = settings->server_from;

	if (code == CURLE_COULDNT_RESOLVE_HOST)
		err_set(e, "the host name in %s (%s) is not known here: is it spelled right?",
		    server, from);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		err_set(e,
		    "nothing answers at %s (%s): is the address right, and does a firewall let "
		    "you through?",
		    server, from);
	else
		err_set(e,
		    "cannot connect to %s (%s): %s. Is airisd running there, and is listen.tcp in "
		    "its settings this address?",
		    server, from, why);
}

bool
easy_explain(const struct client *client, CURL *easy, CURLcode code, struct err *e)
{
	const struct settings *settings = client->settings;
	const char *why = curl_easy_strerror(code);
	long number = 0, sent = 0;
	curl_off_t connected = 0;
	bool refused;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
	curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent);
	if (number != 0)
		why = strerror((int)number);
	switch ((int)code) {
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		err_set(e, "%s: \"%s\" is no address of a server", settings->server_from,
		    settings->server_given);
		return false;
	default:
		break;
	}
	if (tls_explain(settings, easy, code, error_of(easy), e))
		return false;
	refused = connected != 0 && tls_ask_why(settings, code, e);
	if (connected == 0 || sent == 0) {
		if (refused)
			return false;
		if (settings->socket != NULL)
			explain_socket(settings, e);
		else
			explain_connect(settings, code, why, e);
		return false;
	}
	if (refused)
		return true;
	if (code == CURLE_OPERATION_TIMEDOUT)
		err_set(e, "%s did not answer in time", settings->server_given);
	else if (code == CURLE_WRITE_ERROR)
		err_set(e, "the answer of %s is too large: is it airisd?", settings->server_given);
	else if (code == CURLE_GOT_NOTHING && str_starts(settings->server, "http://"))
		err_set(e,
		    "the connection to %s was lost without an answer: does it speak https://?",
		    settings->server_given);
	else
		err_set(e, "the connection to %s was lost (%s)", settings->server_given, why);
	return true;
}

void
easy_turn(struct client *client, int64_t wait_ms)
{
	struct curl_waitfd wake = {.fd = signals_fd(), .events = CURL_WAIT_POLLIN};
	int running;

	curl_multi_perform(client->multi, &running);
	if (wait_ms > TURN_MS)
		wait_ms = TURN_MS;
	curl_multi_poll(client->multi, &wake, 1, wait_ms < 0 ? 0 : (int)wait_ms, NULL);
	signals_drain();
	curl_multi_perform(client->multi, &running);
	if (client->idle != NULL)
		client->idle(client->idle_ctx);
}
