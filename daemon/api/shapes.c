/* Shapes of answers. A member is "name:notation", "name?:notation" if it may be missing. A notation
 * is a kind (below) or a shape's name, in [] for a list, with ? if it may be null. */
#include "api/shapes.h"
#include <string.h>
#include "access/role.h"
#include "api/answer.h"
#include "base/keys.h"
#include "model/phase.h"

#define ID "[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$"
#define TAG "(W/)?\\\"[!#-~]*\\\""

static const struct {
	const char *name, *schema;
} kinds[] = {
    {"text", "{\"type\": \"string\"}"},
    {"plain", "{\"type\": \"string\"}"},
    {"int", "{\"type\": \"integer\"}"},
    {"count", "{\"type\": \"integer\", \"minimum\": 0}"},
    {"cursor", "{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 9223372036854775807}"},
    {"limit", "{\"type\": \"integer\", \"minimum\": 1, \"maximum\": 500, \"default\": 100}"},
    {"real", "{\"type\": \"number\"}"},
    {"flag", "{\"type\": \"boolean\"}"},
    {"object", "{\"type\": \"object\"}"},
    {"time", "{\"type\": \"string\", \"format\": \"date-time\"}"},
    {"label", "{\"type\": \"string\", \"pattern\": \"" KEYS_LABEL_PATTERN "\"}"},
    {"rollout", "{\"type\": \"string\", \"pattern\": \"^r-" ID "\"}"},
    {"token", "{\"type\": \"string\", \"pattern\": \"^[0-9a-z]{8}$\"}"},
    {"trace", "{\"type\": \"string\", \"pattern\": \"^[0-9a-f]{32}$\"}"},
    {"wait", "{\"type\": \"string\", \"pattern\": \"^([0-9]|[1-4][0-9]|5[0-5])s$\"}"},
    /* What no argument of a query may have, however it is written. */
    {"argument", "{\"type\": \"string\", \"pattern\": \"^[^\\\\x00]*$\"}"},
    /* Of headers. */
    {"star", "{\"type\": \"string\", \"enum\": [\"*\"]}"},
    {"tags", "{\"anyOf\": [{\"type\": \"string\", \"enum\": [\"*\"]}, {\"type\": \"string\", "
	     "\"pattern\": \"^" TAG "( *, *" TAG "){0,7}$\"}]}"},
    {"key", "{\"type\": \"string\", \"pattern\": \"^[!-~]{1,128}$\"}"},
    {"digits", "{\"type\": \"string\", \"pattern\": \"^[0-9]{0,18}$\"}"},
    {"visible", "{\"type\": \"string\", \"pattern\": \"^[ -~]{0,128}$\"}"},
    {"digest", "{\"type\": \"string\", \"pattern\": \"^[0-9a-f]{64}$\"}"},
};

#define APP "name:label namespace:label cluster:label"
#define PAGE(shape, next) "items:[" shape "] next:" next
#define TOKEN                                                                                      \
	"id:token role:role namespaces:[text] apps:[text] note:text by:text holder:text? "         \
	"created:time? expires:time? used:time?"
#define RELEASE "image:text who:text why:text commit:text at:time?"

static const struct {
	const char *name, *members;
} shapes[] = {
    {"Problem", "type:text title:text status:int code:code detail:text errors?:[Mistake]"},
    {"Mistake", "path:text detail:text line?:int"},
    {"Version", "version:text"},
    {"Ready", "ready:flag store:text clusters:[Cluster] sources:[Source]"},
    {"Source", "name:text ok:flag text:text"},
    {"ClusterList", "clusters:[Cluster]"},
    {"Cluster", "name:text server:text fresh:flag text:text lease:Lease?"},
    {"Lease", "name:text holder:text held:flag wanted:flag renewed_s:int? text:text"},
    {"MeshList", "clusters:[Mesh]"},
    {"Mesh", "name:text how:text settle:text advice:text error:text assumed:text token:flag "
	     "looking:flag istiods:[Istiod] traffic:Traffic?"},
    {"Istiod", "url:text proxies:int waiting:int unconfirmed:text lastPush:int error:text "
	       "answered_ms:int"},
    {"Traffic", "source:text looked_ms:int verdict:text seen:text"},
    {"WebhookList", "webhooks:[Webhook]"},
    {"Webhook", "name:text url:text format:text state:text waiting:count last_success:time? "
		"failing_since:time? error:text delivered:count failed:count given_up:count"},
    {"AppPage", PAGE("App", "text?")},
    {"App", APP " strategy:text workload:text active:rollout? spec:object"},
    {"AppPut", APP " spec:object changed:flag"},
    {"ReleasePage", PAGE("ReleaseRow", "int?")},
    {"ReleaseRow", "app:text number:int " RELEASE},
    {"RolloutPage", PAGE("RolloutRow", "rollout?")},
    {"RolloutRow", "id:rollout app:text namespace:text cluster:text release:int image:text "
		   "phase:phase stage:text weight:int? reason:text started:time? ended:time?"},
    {"Rollout",
	"id:rollout app:text namespace:text cluster:text phase:phase reason:text "
	"release:Release stage:Stage? ladder:[Rung] weight:Weight? stable:Side canary:Side? "
	"batch:Batch? gates:[Gate] blocked_on:Blocked? started:time ended:time? "
	"superseded_by:text? trace:trace cursor:count stale:text"},
    {"Release", "number:int " RELEASE " known_good:flag"},
    {"Stage", "index:count name:text entered:time? settled:time? hold_until:time?"},
    {"Rung", "index:count name:text weight:int? batch:text? hold:text approve:flag gates:[text] "
	     "state:text entered:time? left:time? measured:[Measured]"},
    {"Measured", "gate:text verdict:text value:real? at:time? count:count failures:count"},
    {"Weight", "target:int written:int taken:int known:text missing:text since:time?"},
    {"Side", "image:text size:int ready:int"},
    {"Batch", "allowed:int ready:int size:int"},
    {"Gate", "name:text verdict:text value:real? condition:text text:text at:time? failures:count "
	     "allowed:count passes:count"},
    {"Blocked", "object:text what:text since:time? until:time? next:text"},
    {"EventPage", PAGE("Event", "count")},
    {"Event", "seq:count at:time kind:text actor:text data:object"},
    {"Plan", "app:text image:text stages:[PlanStage] preflight:[text] warnings:[text]"},
    {"PlanStage", "name:text weight:int? batch:text? hold:text approve:flag gates:[text] "
		  "acts:[PlanAct]"},
    {"PlanAct", "act:text text:text"},
    {"Preflight", "app:text ok:flag findings:[Finding]"},
    {"Finding", "severity:text text:text"},
    {"AuditPage", PAGE("AuditRow", "int?") " chain:text head:AuditHead"},
    {"AuditHead", "seq:count hash:digest"},
    {"AuditRow", "seq:count at:time who:text id:text from:text what:text cluster:text "
		 "namespace:text app:text rollout:text detail:text why:text outcome:text "
		 "hash:digest"},
    {"TokenList", PAGE("Token", "text?")},
    {"Token", TOKEN},
    {"TokenMade", TOKEN " token:text"},
};

/* Those whose names are in tables of their own. */
static json_t *
names_of(const char *kind)
{
	json_t *names = json_array();
	for (int i = 0; strcmp(kind, "phase") == 0 && i <= PHASE_FAILED; i++)
		json_array_append_new(names, json_string(phase_name((enum phase)i)));
	for (int i = 0; strcmp(kind, "role") == 0 && i < ROLE_COUNT; i++)
		json_array_append_new(names, json_string(role_names[i]));
	for (int i = 0; strcmp(kind, "code") == 0 && i < CODE_COUNT; i++)
		json_array_append_new(names, json_string(api_code_name((enum api_code)i)));
	if (json_array_size(names) > 0)
		return json_pack("{s:s, s:o}", "type", "string", "enum", names);
	json_decref(names);
	return NULL;
}

static json_t *
plain_shape(const char *name)
{
	char path[96];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return json_loads(kinds[i].schema, 0, NULL);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strcmp(shapes[i].name, name) == 0) {
			str_print(path, sizeof(path), "#/components/schemas/%s", name);
			return json_pack("{s:s}", "$ref", path);
		}
	return names_of(name);
}

static json_t *
or_null(json_t *schema)
{
	return schema == NULL ? NULL : json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
}

json_t *
api_shape(const char *notation)
{
	char name[64];
	size_t length = strlen(notation);
	if (length == 0 || length >= sizeof(name))
		return NULL;
	bool list = notation[0] == '[', maybe = notation[length - 1] == '?';
	str_print(name, sizeof(name), "%.*s",
	    (int)(length - (list       ? 2
			       : maybe ? 1
				       : 0)),
	    notation + (list ? 1 : 0));
	json_t *schema = plain_shape(name);
	if (maybe)
		return or_null(schema);
	return schema == NULL || !list ? schema
				       : json_pack("{s:s, s:o}", "type", "array", "items", schema);
}

/* "name:notation" or "name?:notation", of that many characters. */
static void
add_member(const char *member, size_t length, json_t *properties, json_t *required)
{
	char text[128];
	str_print(text, sizeof(text), "%.*s", (int)length, member);
	char *notation = strchr(text, ':');
	bool must = notation[-1] != '?';
	notation[must ? 0 : -1] = '\0';
	json_object_set_new(properties, text, api_shape(notation + 1));
	if (must)
		json_array_append_new(required, json_string(text));
}

static json_t *
members_shape(const char *members)
{
	json_t *properties = json_object(), *required = json_array();
	for (const char *at = members; *at != '\0';) {
		size_t length = strcspn(at, " ");
		add_member(at, length, properties, required);
		at += length + strspn(at + length, " ");
	}
	return json_pack(
	    "{s:s, s:o, s:o}", "type", "object", "properties", properties, "required", required);
}

json_t *
api_shapes(void)
{
	json_t *all = json_object();
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		json_object_set_new(all, shapes[i].name, members_shape(shapes[i].members));
	return all;
}
