/* db verify: airisd does it, which is the one that reads databases; airisctl becomes it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "cmd/cmd.h"

/* The airisd that was installed with this airisctl; "" if that cannot be told. */
static void
beside(char *to, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", to, size - 1);
	char *slash;

	to[length < 0 ? 0 : length] = '\0';
	slash = strrchr(to, '/');
	if (slash == NULL || (size_t)(slash - to) + sizeof("/airisd") > size)
		to[0] = '\0';
	else
		str_copy(slash, size - (size_t)(slash - to), "/airisd");
}

static int
run_verify(struct cli *cli)
{
	static const char *const forms[] = {
	    [OUTPUT_TABLE] = "text", [OUTPUT_JSON] = "json", [OUTPUT_YAML] = "yaml"};
	/* With a "=", so that a name may begin with a dash. */
	char *file = cli->args->count > 0 ? str_format("--verify-db=%s", cli->args->words[0])
					  : mem_strdup("--verify-db");
	char output[] = "--output", *form = mem_strdup(forms[cli->settings->output]);
	char program[4096], name[] = "airisd";
	char *words[] = {name, file, output, form, NULL};

	beside(program, sizeof(program));
	if (program[0] != '\0')
		execv(program, words);
	execvp(name, words);
	complain(
	    "db verify: airisd, which reads databases, is neither %s nor in PATH (%s); run this "
	    "on the host of airisd",
	    program[0] != '\0' ? program : "beside airisctl", strerror(errno));
	free(file);
	free(form);
	return CODE_UNREACHABLE;
}

const struct command cmd_db_verify = {.group = "db",
    .name = "verify",
    .operands = "[FILE]",
    .summary = "check a database or a backup to its last row",
    .text = "Checks the file, every row of it, and that the events of every rollout add up to what "
	    "its row says. Without FILE: the database that /etc/airis/airisd.yaml names, also "
	    "while airisd runs. Changes nothing. It runs airisd --verify-db on this host, so it "
	    "needs no server but the right to read the file. Exit status: 0 all is well, 1 "
	    "something was found or the file cannot be read, and then it is said what to do.",
    .offline = true,
    .run = run_verify};
