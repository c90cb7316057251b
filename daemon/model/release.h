/* Release: an immutable desired version of an app, and who wants it, why. Numbered per app. */
#ifndef MODEL_RELEASE_H
#define MODEL_RELEASE_H

#include "model/app.h"

struct release {
	char app[APP_LABEL];
	int number; /* 1, 2, … per app */
	char image[APP_IMAGE];
	char who[128];
	char why[512];
	char commit[128];
	int64_t at_ms;
	bool known_good; /* it was good within the app's rollbackWindow: nobody has to judge it */
};
bool image_ok(const char *image); /* a reference that Kubernetes would take */

json_t *release_json(const struct release *release); /* new reference */
must_check int release_parse(const json_t *json, struct release *release, struct err *e);

#endif
