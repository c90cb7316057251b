/* Credentials in use. Always true: what was read once stays in use until something newer was read
 * whole, so a file that is missing for a moment hurts nobody. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cluster/credentials.h"
#include "cluster/exec_plugin.h"

enum {
	LOOK_MS = 60 * 1000,
	DOUBT_MS = 1000, /* looking for doubt at most so often */
	PLUGIN_TIMEOUT_MS = 30 * 1000,
	EARLY_MS = 60 * 1000,  /* before it expires */
	PLUGIN_WAIT_MS = 1000, /* after a failure, doubling … */
	PLUGIN_WAIT_MAX_MS = 30 * 1000
};

enum part { CA, CERT, KEY, TOKEN, PARTS };

static const char *const part_names[PARTS] = {
    "certificate-authority", "client-certificate", "client-key", "token"};

struct credentials {
	struct loop *loop;
	struct kubeconfig config;
	void (*ready)(void *ctx);
	void *ctx;
	char *texts[PARTS]; /* what is in use; NULL: not given */
	struct stat seen[PARTS];
	char *authorization, *basic;
	int64_t looked_ms;
	uint64_t generation, refreshes;
	struct exec_plugin *plugin; /* running */
	struct exec_credential given;
	bool has_given;
	int64_t plugin_after_ms, plugin_wait_ms; /* monotonic; 0: none */
	struct err problem;
};

static const struct kubeconfig_text *
origin(const struct credentials *c, enum part part)
{
	switch (part) {
	case CA:
		return &c->config.ca;
	case CERT:
		return &c->config.cert;
	case KEY:
		return &c->config.key;
	case TOKEN:
		return &c->config.token;
	case PARTS:
		break;
	}
	return NULL;
}

static void
wipe_free(char **text)
{
	if (*text)
		mem_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* Removes white space at the end; an inner one would break the header. */
static int
check_token(char *token, const char *from, struct err *e)
{
	size_t length = strlen(token);

	while (length && strchr(" \t\r\n", token[length - 1]))
		token[--length] = '\0';
	if (!length)
		return err_set(e, "%s: is empty; a token is expected", from);
	for (size_t i = 0; i < length; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return err_set(e,
			    "%s: has spaces, line breaks or bytes beyond ASCII; a "
			    "token has none",
			    from);
	return 0;
}

static int
check_part(enum part part, char *text, const char *from, struct err *e)
{
	if (part == TOKEN)
		return check_token(text, from, e);
	if (strstr(text, "-----BEGIN "))
		return 0;
	return err_set(e, "%s: is not PEM (no -----BEGIN); it is the %s", from, part_names[part]);
}

static void
renew_headers(struct credentials *c)
{
	const char *token = c->has_given && c->given.token ? c->given.token : c->texts[TOKEN];

	wipe_free(&c->authorization);
	if (token)
		c->authorization = str_format("Authorization: Bearer %s", token);
	c->generation++;
}

/* 1: it changed; 0: as before; -1: it cannot be read, what was read before stays. */
static int
look_at(struct credentials *c, enum part part, bool always, struct err *e)
{
	const char *file = origin(c, part)->file;
	struct stat now = {0};
	char *text;

	/* A missing file gets its error from reading. */
	if (stat(file, &now) == 0 && !always &&
	    now.st_mtim.tv_sec == c->seen[part].st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == c->seen[part].st_mtim.tv_nsec &&
	    now.st_ino == c->seen[part].st_ino && now.st_size == c->seen[part].st_size)
		return 0;
	text = kubeconfig_read_file(file, NULL, e);
	if (!text || check_part(part, text, file, e) < 0) {
		wipe_free(&text);
		return -1;
	}
	c->seen[part] = now;
	if (str_equal(text, c->texts[part])) {
		wipe_free(&text);
		return 0;
	}
	wipe_free(&c->texts[part]);
	c->texts[part] = text;
	return 1;
}

/* True: something changed. */
static bool
look(struct credentials *c, bool always)
{
	bool changed = false;

	c->looked_ms = clock_mono_ms();
	for (int part = 0; part < PARTS; part++) {
		struct err e;
		int result = 0;

		if (origin(c, (enum part)part)->file)
			result = look_at(c, (enum part)part, always, &e);
		if (result < 0)
			log_debug("kube", "kept the %s as it was: %s", part_names[part], e.text);
		changed = changed || result > 0;
	}
	if (!changed)
		return false;
	renew_headers(c);
	c->refreshes++;
	log_debug("kube", "credentials of context %s were read again", c->config.context);
	return true;
}

static int
first_look(struct credentials *c, struct err *e)
{
	for (int part = 0; part < PARTS; part++) {
		const struct kubeconfig_text *from = origin(c, (enum part)part);

		if (from->data) {
			c->texts[part] = mem_strdup(from->data);
			if (check_part((enum part)part, c->texts[part], part_names[part], e) < 0)
				return -1;
		}
		/* A token may stand in for its file until that is there. */
		if (from->file && look_at(c, (enum part)part, true, e) < 0 && !c->texts[part])
			return err_wrap(e, "context %s: %s", c->config.context, part_names[part]);
	}
	if (c->config.username)
		c->basic = str_format(
		    "%s:%s", c->config.username, c->config.password ? c->config.password : "");
	c->looked_ms = clock_mono_ms();
	renew_headers(c);
	return 0;
}

struct credentials *
credentials_new(struct loop *loop, struct kubeconfig *config, void (*ready)(void *ctx), void *ctx,
    struct err *e)
{
	struct credentials *c = mem_alloc(sizeof *c);

	*c = (struct credentials){.loop = loop, .config = *config, .ready = ready, .ctx = ctx};
	if (first_look(c, e) == 0) {
		*config = (struct kubeconfig){0};
		return c;
	}
	c->config = (struct kubeconfig){0};
	credentials_free(c);
	return NULL;
}

void
credentials_free(struct credentials *c)
{
	if (!c)
		return;
	exec_plugin_cancel(c->plugin);
	exec_credential_done(&c->given);
	for (int part = 0; part < PARTS; part++)
		wipe_free(&c->texts[part]);
	wipe_free(&c->authorization);
	wipe_free(&c->basic);
	kubeconfig_done(&c->config);
	free(c);
}

const struct kubeconfig *
credentials_config(const struct credentials *c)
{
	return &c->config;
}

/* --- the plugin --- */

/* Said when it begins; what waits for it says so too, all the time. */
static void
plugin_failed(struct credentials *c)
{
	if (c->plugin_wait_ms == 0)
		log_warn("kube", "no credentials for context %s: %s; it is tried again",
		    c->config.context, c->problem.text);
	c->plugin_wait_ms = c->plugin_wait_ms ? c->plugin_wait_ms * 2 : PLUGIN_WAIT_MS;
	if (c->plugin_wait_ms > PLUGIN_WAIT_MAX_MS)
		c->plugin_wait_ms = PLUGIN_WAIT_MAX_MS;
	c->plugin_after_ms = clock_mono_ms() + c->plugin_wait_ms;
}

static void
plugin_worked(struct credentials *c)
{
	if (c->plugin_wait_ms != 0)
		log_info("kube", "there are credentials for context %s again", c->config.context);
	c->problem.text[0] = '\0';
	c->plugin_wait_ms = 0;
	c->plugin_after_ms = 0;
}

static void
on_plugin_done(void *ctx, const char *output, size_t length, const char *error)
{
	struct credentials *c = ctx;
	struct exec_credential given = {0};

	c->plugin = NULL;
	if (error) {
		err_set(&c->problem, "%s", error);
		plugin_failed(c);
	} else if (exec_credential_parse(output, length, &given, &c->problem) < 0 ||
		   (given.token && check_token(given.token, "status.token", &c->problem) < 0)) {
		err_wrap(&c->problem, "credential plugin %s", c->config.exec.command);
		exec_credential_done(&given);
		plugin_failed(c);
	} else {
		exec_credential_done(&c->given);
		c->given = given;
		c->has_given = true;
		plugin_worked(c);
		c->refreshes++;
		renew_headers(c);
	}
	c->ready(c->ctx);
}

static void
plugin_start(struct credentials *c)
{
	if (c->plugin || clock_mono_ms() < c->plugin_after_ms)
		return;
	c->plugin = exec_plugin_start(
	    c->loop, &c->config, c->texts[CA], PLUGIN_TIMEOUT_MS, on_plugin_done, c, &c->problem);
	if (!c->plugin)
		plugin_failed(c);
}

static enum credentials_state
plugin_state(struct credentials *c)
{
	int64_t left = INT64_MAX;

	if (!c->config.exec.command)
		return CREDENTIALS_READY;
	if (c->has_given && c->given.expires_ms)
		left = c->given.expires_ms - clock_wall_ms();
	if (!c->has_given || left < EARLY_MS)
		plugin_start(c);
	if (c->has_given && left > 0)
		return CREDENTIALS_READY;
	return c->plugin ? CREDENTIALS_WAIT : CREDENTIALS_FAILED;
}

/* --- using them --- */

enum credentials_state
credentials_get(struct credentials *c, struct credentials_access *to)
{
	enum credentials_state state = plugin_state(c);
	bool own_cert = c->has_given && c->given.cert_pem;

	if (state != CREDENTIALS_READY)
		return state;
	if (clock_mono_ms() - c->looked_ms >= LOOK_MS)
		(void)look(c, false);
	*to = (struct credentials_access){
	    .authorization = c->authorization,
	    .basic = c->authorization ? NULL : c->basic,
	    .proxy = c->config.proxy,
	    .impersonate = (const char *const *)c->config.impersonate,
	    .tls = {.ca_pem = c->texts[CA],
		.cert_pem = own_cert ? c->given.cert_pem : c->texts[CERT],
		.key_pem = own_cert ? c->given.key_pem : c->texts[KEY],
		.server_name = c->config.server_name,
		.insecure = c->config.insecure},
	    .generation = c->generation,
	};
	return state;
}

const char *
credentials_problem(const struct credentials *c)
{
	return c->problem.text;
}

bool
credentials_refused(struct credentials *c, uint64_t generation)
{
	if (generation != c->generation)
		return true;
	if (c->config.exec.command) {
		/* Not has_given: nobody may go on with what was refused. */
		exec_credential_done(&c->given);
		c->has_given = false;
		renew_headers(c);
		plugin_start(c);
		return c->plugin != NULL;
	}
	(void)look(c, true);
	return c->config.token.file || c->config.cert.file;
}

void
credentials_doubt(struct credentials *c)
{
	if (clock_mono_ms() - c->looked_ms >= DOUBT_MS)
		(void)look(c, false);
}

uint64_t
credentials_refreshes(const struct credentials *c)
{
	return c->refreshes;
}
