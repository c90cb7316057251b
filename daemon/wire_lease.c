/* The identity: the database's own text, and what a copy of the database on another host, or beside
 * it, does not have: the host's name and machine id, and the file's inode. It stays the same when
 * airisd, or the host, is started again. Where one of these changes all the same the lease is taken
 * over after its duration, as from a stranger. */
#include "wire_lease.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "" in a container that has none. */
static void
read_machine_id(char *to, size_t size)
{
	FILE *file = fopen("/etc/machine-id", "re");
	size_t count = file != NULL ? fread(to, 1, size - 1, file) : 0;
	to[count] = '\0';
	to[strcspn(to, "\n")] = '\0';
	if (file != NULL)
		fclose(file);
}

int
wire_lease(struct wire_lease *lease, const struct settings_cluster *cluster, struct store *store,
    const char *database, struct err *e)
{
	char id[STORE_IDENTITY], machine[64], where[128], host[256] = "";
	struct stat st = {0};
	if (store_identity(store, id, e) < 0)
		return -1;
	read_machine_id(machine, sizeof(machine));
	(void)gethostname(host, sizeof(host) - 1);
	(void)stat(database, &st);
	str_print(where, sizeof(where), "%s %llu", machine, (unsigned long long)st.st_ino);
	lease_identity(host, id, where, cluster->name, lease->identity, sizeof(lease->identity));
	lease->settings = (struct lease_settings){.namespace = cluster->lease.namespace,
	    .name = cluster->lease.name,
	    .identity = lease->identity,
	    .duration_ms = cluster->lease.duration_ms};
	return 0;
}
