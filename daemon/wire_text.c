/* Health of the hands, as JSON. */
#include "wire_text.h"

#include "base/str.h"
#include "cluster/kube_stats.h"

json_t *
wire_cluster_health(struct cluster *cluster)
{
	struct kube *kube = cluster_kube(cluster);
	const struct kube_stats *stats = kube_stats(kube);
	const struct lease *lease = cluster_lease(cluster);
	bool fresh = stats->watches >= stats->caches;
	char text[1024];
	kube_trouble(kube, text, sizeof(text));
	if (text[0] == '\0')
		str_copy(text, sizeof(text), "not every watch is open");
	return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", kube_name(kube), "server",
	    kube_server(kube), "fresh", fresh, "text", fresh ? "" : text, "lease",
	    lease == NULL ? json_null() : lease_json(lease));
}

json_t *
wire_sources_health(const struct gates *gates)
{
	struct gates_health health[16];
	size_t count = gates_health(gates, health, 16);
	json_t *list = json_array();
	for (size_t i = 0; i < count && i < 16; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:b, s:s}", "name", health[i].name, "ok",
			      health[i].ok || !health[i].known, "text", health[i].text));
	return list;
}
