/* Kubeconfig files of strangers: the first half is one file, the rest another. No file is read. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "cluster/kubeconfig.h"
#include "cluster/exec_plugin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *cut = memchr(data, 0, size);
	size_t first = cut ? (size_t)(cut - text) : size;
	struct kubeconfig_set *set = kubeconfig_set_new();
	struct kubeconfig config = {0};
	struct exec_credential credential = {0};
	struct err e;

	if (kubeconfig_set_add(set, text, first, "/x/a", &e) == 0 &&
	    (!cut || kubeconfig_set_add(set, cut + 1, size - first - 1, "b", &e) == 0) &&
	    kubeconfig_set_choose(set, NULL, true, &config, &e) == 0)
		kubeconfig_done(&config);
	kubeconfig_set_free(set);
	if (exec_credential_parse(text, size, &credential, &e) == 0)
		exec_credential_done(&credential);
	return 0;
}
