/* The table of flags, and the checks of their values. */
#include <string.h>
#include "args.h"
#include "base/str.h"

static int
check_text(const char *value, struct err *e)
{
	size_t length = strlen(value);

	if (length == 0)
		return err_set(e, "is empty; leave it out or say something");
	if (length > 1024)
		return err_set(e, "has %zu bytes; at most 1024 are taken", length);
	if (!str_utf8_ok(value, length))
		return err_set(e, "is not valid UTF-8");
	return 0;
}

static int
check_key(const char *value, struct err *e)
{
	size_t length = strlen(value);

	if (length == 0 || length > 128)
		return err_set(e, "has %zu characters; 1 to 128 are allowed", length);
	for (const char *c = value; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~')
			return err_set(e, "may hold printable ASCII without spaces only");
	}
	return 0;
}

static int
check_duration(const char *value, struct err *e)
{
	int64_t ms;

	if (str_duration(value, &ms) < 0 || ms <= 0)
		return err_set(e, "\"%s\" is not a duration such as 30s, 5m or 1h30m", value);
	return 0;
}

static int
check_number(const char *value, struct err *e)
{
	int64_t number;

	if (str_number(value, 1, INT32_MAX, &number) < 0)
		return err_set(e, "\"%s\" is not a whole number from 1 on", value);
	return 0;
}

int
goal_parse(const char *text, struct goal *goal, struct err *e)
{
	int64_t stage = 0;

	if (str_equal(text, "succeeded"))
		*goal = (struct goal){.kind = GOAL_SUCCEEDED};
	else if (str_equal(text, "paused"))
		*goal = (struct goal){.kind = GOAL_PAUSED};
	else if (str_equal(text, "aborted"))
		*goal = (struct goal){.kind = GOAL_ABORTED};
	else if (str_starts(text, "stage:") && str_number(text + 6, 0, 1000, &stage) == 0)
		*goal = (struct goal){.kind = GOAL_STAGE, .stage = (int)stage};
	else
		return err_set(e,
		    "\"%s\" cannot be waited for; allowed: succeeded, paused, aborted, or stage:N "
		    "with the number of a stage as in `airisctl rollout status`",
		    text);
	return 0;
}

static int
check_goal(const char *value, struct err *e)
{
	struct goal goal;

	return goal_parse(value, &goal, e);
}

#define PHASES "queued progressing paused succeeded aborting aborted failed"
#define GOALS "succeeded paused aborted stage:"

const struct flag flags[FLAG_COUNT] = {
    [FLAG_SERVER] = {"server", 0, "URL", .global = true,
	.help = "airisd to talk to: http://host:port, https://host or unix:PATH"},
    [FLAG_TOKEN_FILE] = {"token-file", 0, "FILE", .global = true,
	.help = "file with the bearer token (on a Unix socket the user is known without)"},
    [FLAG_CA_FILE] = {"ca-file", 0, "FILE", .global = true,
	.help = "https: the CAs (PEM) to verify the server by, in place of this machine's"},
    [FLAG_CERTIFICATE_FILE] = {"certificate-file", 0, "FILE", .global = true,
	.help = "https: the certificate (PEM) to show to the server, in place of a token"},
    [FLAG_KEY_FILE] = {"key-file", 0, "FILE", .global = true,
	.help = "https: its key (PEM, not encrypted); when not given, it is in the same file"},
    [FLAG_OUTPUT] = {"output", 'o', "FORMAT", .choices = "table json yaml", .global = true,
	.help = "table (for people, the default), json (as the server said it) or yaml"},
    [FLAG_NO_COLOR] = {"no-color", .global = true,
	.help = "no colours on a terminal (as NO_COLOR does)"},
    [FLAG_TIMEOUT] = {"timeout", 0, "DURATION", .check = check_duration, .global = true,
	.help = "longest time to wait: for an answer (default 15s), with --wait for the goal "
		"(default 30m), in watch for the end (default: no limit)"},
    [FLAG_HELP] = {"help", 'h', .global = true, .help = "say how a command is used"},
    [FLAG_VERSION] = {"version", .global = true, .help = "print the version of airisctl"},
    [FLAG_FILE] = {"file", 'f', "FILE",
	.help = "the app as YAML or JSON, or the exported audit; - reads standard input"},
    [FLAG_IMAGE] = {"image", 0, "IMAGE", .check = check_text, .help = "the image to release"},
    [FLAG_WHY] = {"why", 0, "TEXT", .check = check_text, .help = "why; kept with the release"},
    [FLAG_COMMIT] = {"commit", 0, "COMMIT", .check = check_text,
	.help = "the commit it was built from; kept with the release"},
    [FLAG_KEY] = {"key", 0, "KEY", .check = check_key,
	.help = "Idempotency-Key: the same key starts the same rollout once (default: random)"},
    [FLAG_WAIT] = {"wait", 'w', "GOAL", .optional = true, .choices = GOALS, .check = check_goal,
	.help = "wait until it is succeeded, paused, aborted or has reached stage:N"},
    [FLAG_TO] = {"to", 0, "N", .check = check_number,
	.help = "the number of the release to go back to (default: the one before)"},
    [FLAG_FULL] = {"full", .help = "skip all stages that are left"},
    [FLAG_REASON] = {"reason", 0, "TEXT", .check = check_text, .help = "why; kept in the history"},
    [FLAG_APP] = {"app", 0, "APP", .help = "only of this app"},
    [FLAG_PHASE] = {"phase", 0, "PHASE", .choices = PHASES, .help = "only rollouts in this phase"},
    [FLAG_CLUSTER] = {"cluster", 0, "CLUSTER", .help = "only rollouts in this cluster"},
    [FLAG_LIVE] = {"live", .help = "only rollouts that have not ended"},
    [FLAG_LIMIT] = {"limit", 0, "N", .check = check_number,
	.help = "at most so many, newest first (default 50)"},
    [FLAG_ROLE] = {"role", 0, "ROLE", .choices = "viewer deployer approver admin",
	.help = "viewer looks; deployer releases and aborts; approver approves and aborts; admin "
		"does all and changes apps"},
    [FLAG_NAMESPACES] = {"namespaces", 0, "LIST", .check = check_text,
	.help = "namespaces it is for, with commas; * stands for any characters"},
    [FLAG_APPS] = {"apps", 0, "LIST", .check = check_text,
	.help = "apps there, with commas; * stands for any characters (default: all)"},
    [FLAG_NOTE] = {"note", 0, "TEXT", .check = check_text,
	.help = "what it is for; shown in lists and as who acted"},
    [FLAG_EXPIRES] = {"expires", 0, "DURATION", .check = check_duration,
	.help = "after how long it ends (default 90d, at most 366d)"},
    [FLAG_OUT] = {"out", 0, "FILE", .check = check_text,
	.help = "write the secret to this new file (mode 0600) instead of standard output"},
    [FLAG_ROLLOUT] = {"rollout", 0, "ID", .check = check_text, .help = "only of this rollout"},
    [FLAG_WHO] = {"who", 0, "NAME", .check = check_text,
	.help = "only by this one, as the list shows the name; airisd: what it did by itself"},
    [FLAG_SINCE] = {"since", 0, "DURATION", .check = check_duration,
	.help = "only what is not older"},
    [FLAG_HEAD] = {"head", 0, "HASH@SEQ", .check = check_text,
	.help = "a row's hash and number that were kept elsewhere: it must still be the same"},
    [FLAG_PUBLIC_KEY] = {"public-key", 0, "FILE",
	.help = "PEM file with the public key: the signature of LINE is checked"},
};
