/* Settings of one run: which server, which token, how to print. In this order: flag, environment,
 * the file config.yaml, default. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "args.h"

#define DEFAULT_SERVER "unix:/run/airis/airisd.sock"
#define CONFIG_PATH "~/.config/airisctl/config.yaml"

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

struct settings {
	char *server; /* "http://host:port", no slash at the end; "http://localhost" for sockets */
	char *socket; /* path of the Unix socket; NULL: TCP */
	char *server_given; /* as it was written */
	char *server_from;  /* "--server", "AIRIS_SERVER", … for error texts */
	char *token;	    /* NULL: none; a secret */
	char *token_from;   /* "the file /x"; NULL: none */
	char *ca_file, *certificate_file, *key_file; /* for https; NULL: not given */
	enum output output;
	bool no_color;
	int64_t timeout_ms; /* -1: not given */
	int64_t silence_ms; /* a stream that says nothing for so long is opened again */
};

/* -1: the text says which of the places is wrong and what is allowed there. In any case end with
 * settings_done. */
must_check int settings_load(const struct args *args, struct settings *settings, struct err *e);
void settings_done(struct settings *settings);

/* A whole file, or standard input for "-"; -1 if it is over limit bytes or cannot be read. *text is
 * owned by the caller. */
must_check int file_read(
    const char *path, size_t limit, char **text, size_t *length, struct err *e);

#endif
