/* The completions for bash and zsh: words, flags and the fixed values of flags, from the tables. */
#include <string.h>
#include "cli.h"
#include "help.h"

static void
add_words(struct str *to, const char *group)
{
	const char *space = "";

	for (int i = 0; *group == '\0' && groups[i].name != NULL; i++) {
		str_addf(to, "%s%s", space, groups[i].name);
		space = " ";
	}
	for (int i = 0; commands[i] != NULL; i++) {
		if (!str_equal(commands[i]->group, group) || commands[i]->hidden)
			continue;
		str_addf(to, "%s%s", space, commands[i]->name);
		space = " ";
	}
}

static void
add_flag_names(struct str *to, uint64_t extra)
{
	const char *space = "";

	for (int i = 0; i < FLAG_COUNT; i++) {
		if (!flags[i].global && (extra >> i & 1) == 0)
			continue;
		str_addf(to, "%s--%s%s", space, flags[i].name,
		    flags[i].value != NULL && flags[i].optional ? "=" : "");
		space = " ";
	}
}

/* "case" lines: what is in front of the cursor -> what may stand there. */
static void
add_word_cases(struct str *to, const char *indent)
{
	for (int i = 0; groups[i].name != NULL; i++) {
		str_addf(to, "%s%s) at_words='", indent, groups[i].name);
		add_words(to, groups[i].name);
		str_add(to, "' ;;\n");
	}
	for (int i = 0; commands[i] != NULL; i++) {
		if (str_equal(commands[i]->operands, "[FILE]"))
			str_addf(to, "%s'%s %s') at_words=FILE ;;\n", indent, commands[i]->group,
			    commands[i]->name);
	}
	str_addf(to, "%scompletion) at_words='bash zsh' ;;\n%s'') at_words='", indent, indent);
	add_words(to, "");
	str_add(to, "' ;;\n");
}

static void
add_flag_cases(struct str *to, const char *indent)
{
	for (int i = 0; commands[i] != NULL; i++) {
		if (commands[i]->hidden)
			continue;
		str_addf(to, "%s'%s%s%s'*) at_flags='", indent, commands[i]->group,
		    *commands[i]->group == '\0' ? "" : " ", commands[i]->name);
		add_flag_names(to, commands[i]->flags);
		str_add(to, "' ;;\n");
	}
	str_addf(to, "%s*) at_flags='", indent);
	add_flag_names(to, 0);
	str_add(to, "' ;;\n");
}

static void
add_value_cases(struct str *to, const char *indent)
{
	for (int i = 0; i < FLAG_COUNT; i++) {
		if (flags[i].value == NULL)
			continue;
		str_addf(to, "%s--%s", indent, flags[i].name);
		if (flags[i].letter != 0)
			str_addf(to, "|-%c", flags[i].letter);
		if (flags[i].choices != NULL)
			str_addf(to, ") at_values='%s' ;;\n", flags[i].choices);
		else if (str_equal(flags[i].value, "FILE"))
			str_add(to, ") at_values=FILE ;;\n");
		else
			str_add(to, ") at_values=NONE ;;\n");
	}
}

/* The part that both shells understand: sets words, flags and values from prev and path. */
static void
add_tables(struct str *to)
{
	str_add(to, "_airisctl_tables() {\n\tat_words= at_flags= at_values=\n\tcase $1 in\n");
	add_value_cases(to, "\t");
	str_add(to, "\tesac\n\tcase $2 in\n");
	add_word_cases(to, "\t");
	str_add(to, "\tesac\n\tcase $2 in\n");
	add_flag_cases(to, "\t");
	str_add(to, "\tesac\n}\n");
}

static const char path_of[] =
    "_airisctl_path() {\n"
    "\t# The command's words before the cursor, without flags and their values.\n"
    "\tlocal word skip=\n"
    "\tat_path=\n"
    "\tfor word in \"$@\"; do\n"
    "\t\tif [ -n \"$skip\" ]; then skip=; continue; fi\n"
    "\t\tcase $word in\n"
    "\t\t--*=*|--wait|-w) ;;\n"
    "\t\t-*)\n"
    "\t\t\t_airisctl_tables \"$word\" ''\n"
    "\t\t\t[ -z \"$at_values\" ] || skip=1 ;;\n"
    "\t\t*) at_path=\"${at_path:+$at_path }$word\" ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "}\n";

static const char bash_main[] =
    "_airisctl() {\n"
    "\tlocal cur prev at_path at_words at_flags at_values\n"
    "\tcur=${COMP_WORDS[COMP_CWORD]}\n"
    "\tprev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "\t[ \"$cur\" = = ] && cur=\n"
    "\t[ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
    "\t_airisctl_path \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
    "\t_airisctl_tables \"$prev\" \"$at_path\"\n"
    "\tcase $at_values in\n"
    "\tFILE) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
    "\tNONE) COMPREPLY=(); return ;;\n"
    "\t?*) COMPREPLY=($(compgen -W \"$at_values\" -- \"$cur\")); return ;;\n"
    "\tesac\n"
    "\tcase $cur in\n"
    "\t-*) COMPREPLY=($(compgen -W \"$at_flags\" -- \"$cur\")) ;;\n"
    "\t*) case $at_words in\n"
    "\t\tFILE) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
    "\t\t*) COMPREPLY=($(compgen -W \"$at_words\" -- \"$cur\")) ;;\n"
    "\t\tesac ;;\n"
    "\tesac\n"
    "}\n"
    "complete -F _airisctl airisctl\n";

static const char zsh_main[] = "_airisctl() {\n"
			       "\tlocal prev at_path at_words at_flags at_values\n"
			       "\tlocal -a before\n"
			       "\tbefore=(\"${(@)argv}\")\n"
			       "\tprev=$before[-1]\n"
			       "\t_airisctl_path \"${(@)before}\"\n"
			       "\t_airisctl_tables \"$prev\" \"$at_path\"\n"
			       "\tcase $at_values in\n"
			       "\tFILE) _files; return ;;\n"
			       "\tNONE) return ;;\n"
			       "\t?*) compadd -- ${=at_values}; return ;;\n"
			       "\tesac\n"
			       "\tcase $at_words in\n"
			       "\tFILE) _files ;;\n"
			       "\t*) compadd -- ${=at_words} ;;\n"
			       "\tesac\n"
			       "\tcompadd -- ${=at_flags}\n"
			       "}\n";

int
completion_add(const char *shell, struct str *to)
{
	if (str_equal(shell, "bash")) {
		str_add(to, "# bash completion of airisctl\n");
		add_tables(to);
		str_add(to, path_of);
		str_add(to, bash_main);
		return 0;
	}
	if (!str_equal(shell, "zsh"))
		return -1;
	str_add(to, "#compdef airisctl\n");
	add_tables(to);
	str_add(to, path_of);
	str_add(to, zsh_main);
	/* `words` is zsh's own: the line, with the cursor in word CURRENT. */
	str_add(to, "_airisctl \"${(@)words[2,CURRENT-1]}\"\n");
	return 0;
}
