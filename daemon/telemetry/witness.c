/* Lines about the audit's head. Always true: nothing here waits. syslog(3) would, when the one who
 * listens hangs (its datagram socket blocks once its queue is full), so the datagram is sent here,
 * without waiting; one that is not taken is said in the log, and the next line tells of the same
 * rows. */
#include "telemetry/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define KEY_BYTES 4096
#define PRIORITY 110 /* facility 13, log audit; severity 6, info */
#define FIRST_MS 2000

struct witness {
	struct loop_timer *timer;
	char *key_file, *syslog;
	int64_t every_ms;
	int (*head)(void *ctx, struct seal *seal, struct err *e);
	void *ctx;
};

static struct seal_key *
read_key(const char *file, struct err *e)
{
	char text[KEY_BYTES];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text));
	struct seal_key *key = NULL;
	if (length < 0)
		err_set(e, "%s: %s", file, strerror(errno));
	else
		key = seal_key_read(text, (size_t)length, true, file, e);
	if (fd >= 0)
		close(fd);
	mem_wipe(text, sizeof(text));
	return key;
}

/* RFC 3164, as a local syslog takes it: no host, and the time is its own. */
static void
send_line(const struct witness *witness, const char *line)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[SEAL_LINE + 64];
	str_copy(address.sun_path, sizeof(address.sun_path), witness->syslog);
	str_print(text, sizeof(text), "<%d>airisd[%d]: %s", PRIORITY, (int)getpid(), line);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
			  (const struct sockaddr *)&address, sizeof(address)) < 0)
		log_warn("audit", "the head was not taken by syslog (%s): %s", witness->syslog,
		    strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void
tell(struct witness *witness, const struct seal *seal)
{
	char line[SEAL_LINE];
	struct err e;
	struct seal_key *key = witness->key_file == NULL ? NULL : read_key(witness->key_file, &e);
	if (key == NULL && witness->key_file != NULL)
		log_error("audit", "the head is not signed: %s", e.text);
	seal_write(seal, key, line);
	log_info("audit", "%s", line);
	if (key != NULL)
		send_line(witness, line);
	seal_key_free(key);
}

static void
on_timer(void *ctx)
{
	struct witness *witness = ctx;
	struct seal seal;
	struct err e;
	loop_timer_set(witness->timer, witness->every_ms);
	if (witness->head(witness->ctx, &seal, &e) < 0) {
		log_warn("audit", "the head cannot be read: %s", e.text);
		return;
	}
	seal.at_ms = clock_wall_ms();
	if (seal.seq > 0)
		tell(witness, &seal);
}

struct witness *
witness_new(struct loop *loop, const struct witness_settings *settings,
    int (*head)(void *ctx, struct seal *seal, struct err *e), void *ctx, struct err *e)
{
	if (settings->key_file != NULL) {
		struct seal_key *key = read_key(settings->key_file, e);
		if (key == NULL)
			return NULL;
		seal_key_free(key);
	}
	struct witness *witness = mem_alloc(sizeof(*witness));
	witness->key_file = mem_strdup(settings->key_file);
	witness->syslog = mem_strdup(settings->syslog != NULL ? settings->syslog : "/dev/log");
	witness->every_ms = settings->every_ms;
	witness->head = head;
	witness->ctx = ctx;
	witness->timer = loop_timer_new(loop, on_timer, witness);
	loop_timer_set(witness->timer, FIRST_MS < witness->every_ms ? FIRST_MS : witness->every_ms);
	return witness;
}

void
witness_free(struct witness *witness)
{
	if (witness == NULL)
		return;
	loop_timer_free(witness->timer);
	free(witness->key_file);
	free(witness->syslog);
	free(witness);
}
