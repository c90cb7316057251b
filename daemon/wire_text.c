/* Health and counters of the hands, as JSON and as Prometheus text. */
#include "wire_text.h"

#include <inttypes.h>
#include "cluster/kube_stats.h"

json_t *
wire_cluster_health(struct cluster *cluster)
{
	struct kube *kube = cluster_kube(cluster);
	const struct kube_stats *stats = kube_stats(kube);
	const struct lease *lease = cluster_lease(cluster);
	bool fresh = stats->watches >= stats->caches;
	return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", kube_name(kube), "server",
	    kube_server(kube), "fresh", fresh, "text",
	    fresh ? "" : "not every watch is open; rollouts there say what they wait for", "lease",
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

void
wire_cluster_metrics(struct str *to, const char *name, struct cluster *cluster, bool first)
{
	const struct kube_stats *stats = kube_stats(cluster_kube(cluster));
	const struct lease *lease = cluster_lease(cluster);
	if (first)
		str_add(to, "# TYPE airis_kube_requests_total counter\n");
	for (size_t i = 0; i < stats->cells; i++)
		str_addf(to,
		    "airis_kube_requests_total{cluster=\"%s\",verb=\"%s\",code=\"%d\"} %" PRIu64
		    "\n",
		    name, stats->requests[i].verb, stats->requests[i].code,
		    stats->requests[i].count);
	str_addf(
	    to, "airis_kube_retries_total{cluster=\"%s\"} %" PRIu64 "\n", name, stats->retries);
	str_addf(
	    to, "airis_kube_throttled_total{cluster=\"%s\"} %" PRIu64 "\n", name, stats->throttled);
	str_addf(
	    to, "airis_kube_relists_total{cluster=\"%s\"} %" PRIu64 "\n", name, stats->relists);
	str_addf(to, "airis_kube_watch_cuts_total{cluster=\"%s\"} %" PRIu64 "\n", name,
	    stats->watch_cuts);
	str_addf(to, "airis_kube_watches{cluster=\"%s\"} %d\n", name, stats->watches);
	if (lease == NULL)
		return;
	str_addf(to, "airis_lease_held{cluster=\"%s\"} %d\n", name, lease_held(lease));
	str_addf(
	    to, "airis_lease_lost_total{cluster=\"%s\"} %" PRIu64 "\n", name, lease_lost(lease));
}

void
wire_store_metrics(struct str *to, struct store *store)
{
	struct store_stats stats;
	uint64_t sum = 0;
	store_stats(store, &stats);
	str_add(to, "# TYPE airis_store_commit_seconds histogram\n");
	for (int i = 0; i < STORE_BUCKETS; i++) {
		sum += stats.commit_buckets[i];
		if (i < STORE_BUCKETS - 1)
			str_addf(to, "airis_store_commit_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
			    (double)store_bucket_us[i] / 1e6, sum);
		else
			str_addf(to, "airis_store_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
			    sum);
	}
	str_addf(to,
	    "airis_store_commit_seconds_sum %g\nairis_store_commit_seconds_count %" PRIu64 "\n",
	    (double)stats.commit_us / 1e6, sum);
	str_addf(to, "airis_store_writes_total %" PRIu64 "\n", stats.writes);
	str_addf(to, "airis_store_failed_commits_total %" PRIu64 "\n", stats.failed_commits);
	str_addf(to, "airis_store_waiting_writes %d\n", stats.waiting_writes);
	str_addf(to, "airis_store_bytes{file=\"db\"} %" PRId64 "\n", stats.db_bytes);
	str_addf(to, "airis_store_bytes{file=\"wal\"} %" PRId64 "\n", stats.wal_bytes);
	str_addf(to, "airis_store_bytes{file=\"reserve\"} %" PRId64 "\n", stats.reserve_bytes);
}
