/* The one table of families. A family that is not here does not exist. The help is one line of
 * plain text, without a backslash. */
#include "telemetry/families.h"

#include <stddef.h>

#define COUNTER(text) .type = METRIC_COUNTER, .help = text
#define GAUGE(text) .type = METRIC_GAUGE, .help = text
#define HISTOGRAM(which, text) .type = METRIC_HISTOGRAM, .scale = &which, .help = text
#define BY(...) .labels = {__VA_ARGS__}

/* clang-format off */
const struct metric_family metric_families[METRIC_COUNT] = {
    [METRIC_ROLLOUTS] = {"airis_rollouts", BY("strategy", "phase"),
	GAUGE("Rollouts that have not ended, by the phase they are in.")},
    [METRIC_ROLLOUTS_STARTED] = {"airis_rollouts_started_total", BY("strategy"),
	COUNTER("Rollouts started.")},
    [METRIC_ROLLOUTS_ENDED] = {"airis_rollouts_ended_total", BY("strategy", "phase"),
	COUNTER("Rollouts that succeeded, were aborted, or failed: one that failed may be tried "
		"again and then ends again.")},
    [METRIC_ROLLOUT_DURATION] = {"airis_rollout_duration_seconds", BY("strategy", "phase"),
	HISTOGRAM(histogram_long, "From the start of a rollout to its end in that phase.")},
    [METRIC_STAGE_DURATION] = {"airis_rollout_stage_duration_seconds", BY("strategy", "stage"),
	HISTOGRAM(histogram_long, "How long rollouts were in a stage of that kind: until they "
				  "left it, succeeded in it, or were aborted in it.")},
    [METRIC_HOMEWARD_DURATION] = {"airis_rollout_abort_duration_seconds", BY("strategy"),
	HISTOGRAM(histogram_long, "From the decision to abort until everything was as before, or "
				  "the rollout had failed.")},
    [METRIC_LONGEST_WAIT] = {"airis_rollouts_longest_wait_seconds", BY("phase"),
	GAUGE("The longest that a rollout in that phase has been waiting for the same thing.")},
    [METRIC_ROLLOUT_INFO] = {"airis_rollout_info",
	BY("app", "namespace", "cluster", "strategy", "phase"),
	GAUGE("1 for each app with a rollout that has not ended. Not there with metrics.apps: "
	      "false.")},
    [METRIC_ROLLOUT_WAITING] = {"airis_rollout_waiting_seconds",
	BY("app", "namespace", "cluster"),
	GAUGE("How long that rollout has been waiting for the same thing, holds included; 0: it "
	      "moves. Not there with metrics.apps: false.")},
    [METRIC_ROLLOUT_WEIGHT] = {"airis_rollout_weight_ratio", BY("app", "namespace", "cluster"),
	GAUGE("The share of the traffic that its new side is given, from 0 to 1, of rollouts that "
	      "steer traffic. Not there with metrics.apps: false.")},
    [METRIC_COMMANDS] = {"airis_commands_total", BY("command"),
	COUNTER("Commands of people and programs that were taken.")},
    [METRIC_ABORT_LATENCY] = {"airis_abort_latency_seconds",
	HISTOGRAM(histogram_request, "From an abort command until its weight was sent to the "
				     "cluster.")},
    [METRIC_APPS] = {"airis_apps", GAUGE("Apps.")},

    [METRIC_MEASUREMENTS] = {"airis_gate_measurements_total", BY("verdict"),
	COUNTER("Measurements of gates, by what they said.")},
    [METRIC_ACTS] = {"airis_acts_total", BY("act", "outcome"),
	COUNTER("Acts on clusters that were answered. Only done and already are successes.")},
    [METRIC_ACT_DURATION] = {"airis_act_duration_seconds", BY("act"),
	HISTOGRAM(histogram_request, "From sending an act to its outcome, retries included; of "
				     "those acts that were sent.")},
    [METRIC_ACTS_UNDER_WAY] = {"airis_acts_under_way",
	GAUGE("Acts that were sent and have no outcome yet.")},
    [METRIC_DECISIONS] = {"airis_decisions_total",
	COUNTER("Looks at a rollout that asked what is next.")},
    [METRIC_EVENTS] = {"airis_events_total", COUNTER("Events of rollouts.")},

    [METRIC_API_REQUESTS] = {"airis_api_requests_total", BY("method", "route", "code"),
	COUNTER("Requests to the REST API that were answered. Code 0: the client left before; "
		"route other: no such path, or no token.")},
    [METRIC_API_DURATION] = {"airis_api_request_duration_seconds", BY("method"),
	HISTOGRAM(histogram_request, "From a whole request to its answer; of a stream, to its "
				     "beginning.")},
    [METRIC_API_UNDER_WAY] = {"airis_api_requests_under_way",
	GAUGE("Requests that are not answered yet, this one included.")},
    [METRIC_API_CONNECTIONS] = {"airis_api_connections", GAUGE("Open connections to the API.")},
    [METRIC_API_STREAMS] = {"airis_api_streams", GAUGE("Open streams of events, and requests that wait for a rollout.")},
    [METRIC_API_UNAUTHORIZED] = {"airis_api_unauthorized_total",
	COUNTER("Requests without a token that is good, where one is needed or was sent.")},
    [METRIC_API_SLOWED] = {"airis_api_slowed_clients_total",
	COUNTER("How often a busy client was slowed down.")},
    [METRIC_TLS_NOT_AFTER] = {"airis_tls_certificate_not_after_seconds",
	GAUGE("When the certificate in use ends, since 1970. Not there without listen.tls.")},
    [METRIC_TLS_REFUSED] = {"airis_tls_files_refused",
	GAUGE("1 while what is in the files of listen.tls is refused and older ones are in use. "
	      "Not there without listen.tls.")},

    [METRIC_KUBE_REQUESTS] = {"airis_kube_requests_total", BY("cluster", "verb", "code"),
	COUNTER("Requests to the Kubernetes API, by HTTP status; code 0: no answer.")},
    [METRIC_KUBE_DURATION] = {"airis_kube_request_duration_seconds", BY("cluster"),
	HISTOGRAM(histogram_request, "How long requests to the Kubernetes API took, watches "
				     "apart.")},
    [METRIC_KUBE_UNDER_WAY] = {"airis_kube_requests_under_way", BY("cluster"),
	GAUGE("Requests to the Kubernetes API that have no answer yet.")},
    [METRIC_KUBE_WAITING] = {"airis_kube_requests_waiting", BY("cluster"),
	GAUGE("Requests that wait for their turn, or to be sent again.")},
    [METRIC_KUBE_RETRIES] = {"airis_kube_retries_total", BY("cluster"),
	COUNTER("Requests that were sent again.")},
    [METRIC_KUBE_THROTTLED] = {"airis_kube_throttled_total", BY("cluster"),
	COUNTER("Requests that had to wait for clusters[].qps.")},
    [METRIC_KUBE_THROTTLED_TIME] = {"airis_kube_throttled_seconds_total", BY("cluster"),
	COUNTER("How long those waited in all.")},
    [METRIC_KUBE_RELISTS] = {"airis_kube_relists_total", BY("cluster"),
	COUNTER("Lists that were read again, because their watch could not go on.")},
    [METRIC_KUBE_WATCH_CUTS] = {"airis_kube_watch_cuts_total", BY("cluster"),
	COUNTER("Watches that ended in an error, or were given up as silent.")},
    [METRIC_KUBE_WATCHES] = {"airis_kube_watches", BY("cluster"), GAUGE("Open watches.")},
    [METRIC_KUBE_CACHES] = {"airis_kube_caches", BY("cluster"),
	GAUGE("Lists that are kept; with fewer watches than that, some of what is known is old.")},
    [METRIC_KUBE_REFRESHES] = {"airis_kube_credential_refreshes_total", BY("cluster"),
	COUNTER("How often credentials were read or made again.")},
    [METRIC_KUBE_EVENTS] = {"airis_kube_events_total", BY("cluster", "result"),
	COUNTER("Events about rollouts. All that are not written are dropped: full: there were "
		"too many at once; late: the cluster was away for too long; forbidden: airisd may "
		"not create events.")},
    [METRIC_KUBE_EVENTS_WAITING] = {"airis_kube_events_waiting", BY("cluster"),
	GAUGE("Events about rollouts that are still to be written.")},
    [METRIC_LEASE_WANTED] = {"airis_lease_wanted", BY("cluster"),
	GAUGE("1 while there is something to write, for which the Lease is needed.")},
    [METRIC_LEASE_HELD] = {"airis_lease_held", BY("cluster"),
	GAUGE("1 while this airisd holds the Lease and may write.")},
    [METRIC_LEASE_LOST] = {"airis_lease_lost_total", BY("cluster"),
	COUNTER("How often the Lease ran out while it was wanted.")},

    [METRIC_SOURCE_UP] = {"airis_prometheus_up", BY("source"),
	GAUGE("1 while the last answer of that source was one; it is asked once a minute at "
	      "least.")},
    [METRIC_SOURCE_REQUESTS] = {"airis_prometheus_requests_total", BY("source", "result"),
	COUNTER("Requests to a source of prometheus. A query that it refuses is answered.")},
    [METRIC_SOURCE_DURATION] = {"airis_prometheus_request_duration_seconds", BY("source"),
	HISTOGRAM(histogram_request, "How long those took that were sent and not given up.")},
    [METRIC_SOURCE_MEASUREMENTS] = {"airis_prometheus_measurements", BY("source", "state"),
	GAUGE("Measurements and other queries that run, or wait for their turn.")},
    [METRIC_SOURCE_SKEW] = {"airis_prometheus_clock_skew_seconds", BY("source"),
	GAUGE("Its clock less ours; 0 while that is within what can be measured.")},
    [METRIC_ISTIOD_REQUESTS] = {"airis_istiod_requests_total",
	COUNTER("Questions to istiod.")},

    [METRIC_WEBHOOK_DELIVERIES] = {"airis_webhook_deliveries_total", BY("webhook", "result"),
	COUNTER("Notices that were taken, tries that failed, and notices that were given up.")},
    [METRIC_WEBHOOK_WAITING] = {"airis_webhook_waiting", BY("webhook"),
	GAUGE("Notices in the outbox that are not delivered yet; 10000: so many or more.")},
    [METRIC_WEBHOOK_UP] = {"airis_webhook_up", BY("webhook"),
	GAUGE("0 while deliveries fail, or when the receiver has answered 410 Gone.")},

    [METRIC_TRACE_EXPORTED] = {"airis_trace_spans_exported_total",
	COUNTER("Spans of rollouts that the receiver of traces has taken.")},
    [METRIC_TRACE_DROPPED] = {"airis_trace_spans_dropped_total", BY("reason"),
	COUNTER("Spans that nobody gets: the queue was full, or the receiver refused them, or the "
		"settings say that none are sent any more.")},
    [METRIC_TRACE_WAITING] = {"airis_trace_spans_waiting",
	GAUGE("Spans that are not taken yet; 8192 at most.")},

    [METRIC_DEGRADED] = {"airis_degraded",
	GAUGE("1 while rollouts do not go on because what they do could not be written down.")},
    [METRIC_STORE_WRITABLE] = {"airis_store_writable",
	GAUGE("0 while the database cannot be written, or a write hangs.")},
    [METRIC_STORE_COMMIT_DURATION] = {"airis_store_commit_duration_seconds",
	HISTOGRAM(histogram_quick, "How long commits took, with the disk's sync.")},
    [METRIC_STORE_FAILED_COMMITS] = {"airis_store_failed_commits_total",
	COUNTER("Commits that failed.")},
    [METRIC_STORE_WRITES] = {"airis_store_writes_total", COUNTER("Rows committed.")},
    [METRIC_STORE_WAITING] = {"airis_store_waiting_writes",
	GAUGE("Rows that wait for their commit.")},
    [METRIC_STORE_WAITING_BYTES] = {"airis_store_waiting_bytes",
	GAUGE("The size of their text.")},
    [METRIC_STORE_BYTES] = {"airis_store_bytes", BY("file"),
	GAUGE("Sizes of the database, its log, and the reserve for aborts on a full disk.")},
    [METRIC_UNWRITTEN] = {"airis_unwritten_batches",
	GAUGE("What happened to rollouts or apps and is with the database, not durable yet.")},

    [METRIC_LOOP_TURN] = {"airis_loop_turn_duration_seconds",
	HISTOGRAM(histogram_quick, "How long turns of the event loop took; meanwhile all else "
				   "waits.")},
    [METRIC_LOOP_LAG] = {"airis_loop_lag_seconds",
	HISTOGRAM(histogram_quick, "How much later than wanted timers fired.")},
    [METRIC_LOOP_SLOW_TURNS] = {"airis_loop_slow_turns_total",
	COUNTER("Turns that took longer than 50 ms.")},
    [METRIC_LOOP_DEFERRED] = {"airis_loop_deferred", GAUGE("What waits for the end of a turn.")},
    [METRIC_BUILD_INFO] = {"airis_build_info", BY("version", "database_version"),
	GAUGE("1, with the version that runs and that of its database.")},
    [METRIC_PROCESS_CPU] = {"process_cpu_seconds_total",
	COUNTER("Total user and system CPU time spent in seconds.")},
    [METRIC_PROCESS_RESIDENT] = {"process_resident_memory_bytes",
	GAUGE("Resident memory size in bytes.")},
    [METRIC_PROCESS_VIRTUAL] = {"process_virtual_memory_bytes",
	GAUGE("Virtual memory size in bytes.")},
    [METRIC_PROCESS_FDS] = {"process_open_fds", GAUGE("Number of open file descriptors.")},
    [METRIC_PROCESS_FDS_MAX] = {"process_max_fds",
	GAUGE("Maximum number of open file descriptors.")},
    [METRIC_PROCESS_START] = {"process_start_time_seconds",
	GAUGE("Start time of the process since unix epoch in seconds.")},
};
/* clang-format on */
