/* The table of commands. */
#include "base/str.h"
#include "cli.h"
#include "command.h"

extern const struct command cmd_db_verify;
extern const struct command cmd_app_apply, cmd_app_get, cmd_app_list, cmd_app_delete,
    cmd_app_preflight;
extern const struct command cmd_rollout_start, cmd_rollout_status, cmd_rollout_watch,
    cmd_rollout_list, cmd_rollout_explain, cmd_rollout_history, cmd_rollout_plan,
    cmd_rollout_promote, cmd_rollout_approve, cmd_rollout_pause, cmd_rollout_resume,
    cmd_rollout_retry, cmd_rollout_abort, cmd_rollout_undo;
extern const struct command cmd_cluster_status, cmd_mesh_status;
extern const struct command cmd_token_create, cmd_token_exchange, cmd_token_list, cmd_token_revoke;
extern const struct command cmd_audit_list, cmd_audit_verify, cmd_audit_export;
extern const struct command cmd_webhook_list;
extern const struct command cmd_version, cmd_completion, cmd_help;

const struct command *const commands[] = {
    &cmd_app_apply,
    &cmd_app_get,
    &cmd_app_list,
    &cmd_app_preflight,
    &cmd_app_delete,
    &cmd_rollout_start,
    &cmd_rollout_status,
    &cmd_rollout_watch,
    &cmd_rollout_list,
    &cmd_rollout_explain,
    &cmd_rollout_history,
    &cmd_rollout_plan,
    &cmd_rollout_promote,
    &cmd_rollout_approve,
    &cmd_rollout_pause,
    &cmd_rollout_resume,
    &cmd_rollout_retry,
    &cmd_rollout_abort,
    &cmd_rollout_undo,
    &cmd_cluster_status,
    &cmd_db_verify,
    &cmd_mesh_status,
    &cmd_token_create,
    &cmd_token_exchange,
    &cmd_token_list,
    &cmd_token_revoke,
    &cmd_audit_list,
    &cmd_audit_verify,
    &cmd_audit_export,
    &cmd_webhook_list,
    &cmd_version,
    &cmd_completion,
    &cmd_help,
    NULL,
};

const struct group groups[] = {
    {"app", "what is released: workload, traffic, strategy and gates"},
    {"rollout", "bringing a release to a cluster"},
    {"cluster", "where releases go"},
    {"db", "the database of airisd, on its host"},
    {"mesh", "what the proxies have taken"},
    {"token", "who else may come in, and what they may do"},
    {"audit", "who did what, in a chain that shows what was changed"},
    {"webhook", "who is told of what happens"},
    {NULL, NULL},
};

const struct exit_text exit_texts[] = {
    {CODE_OK, "done; with --wait and watch: the goal is reached, the rollout has succeeded"},
    {CODE_FAILED, "the rollout has failed, or airisd or airisctl could not do its work"},
    {CODE_USAGE, "wrong usage, or a file or setting that cannot be used"},
    {CODE_ABORTED, "the rollout was aborted"},
    {CODE_PAUSED, "the rollout is paused, while something else was waited for"},
    {CODE_TIMED_OUT, "timed out while waiting; the rollout goes on"},
    {CODE_REFUSED,
	"refused by airisd: not found, not allowed, not possible in this state, bad input"},
    {CODE_UNREACHABLE, "airisd cannot be reached"},
    {CODE_INTERRUPTED, "interrupted (Ctrl-C); the rollout goes on"},
    {CODE_OK, NULL},
};

const struct command *
command_find(const char *group, const char *name)
{
	for (int i = 0; commands[i] != NULL; i++) {
		if (str_equal(commands[i]->group, group) && str_equal(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

const struct group *
group_find(const char *name)
{
	for (int i = 0; groups[i].name != NULL; i++) {
		if (str_equal(groups[i].name, name))
			return &groups[i];
	}
	return NULL;
}

static void
add_flag(struct str *to, const struct flag *flag, bool needed)
{
	str_addf(to, needed ? " --%s" : " [--%s", flag->name);
	if (flag->value != NULL)
		str_addf(to, flag->optional ? "[=%s]" : " %s", flag->value);
	str_add(to, needed ? "" : "]");
}

char *
command_usage(const struct command *command)
{
	struct str usage;

	str_init(&usage, 0);
	str_addf(&usage, "airisctl%s%s %s", *command->group == '\0' ? "" : " ", command->group,
	    command->name);
	if (*command->operands != '\0')
		str_addf(&usage, " %s", command->operands);
	for (int needed = 1; needed >= 0; needed--) {
		for (int i = 0; i < FLAG_COUNT; i++) {
			if ((command->flags >> i & 1) != 0 &&
			    (int)(command->needs >> i & 1) == needed)
				add_flag(&usage, &flags[i], needed == 1);
		}
	}
	return str_take(&usage);
}
