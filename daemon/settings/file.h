/* Inside of settings: keys that name a file. Such a name may begin with ${CREDENTIALS_DIRECTORY}/,
 * the folder where systemd puts what LoadCredential= of the unit loads. */
#ifndef SETTINGS_FILE_H
#define SETTINGS_FILE_H

#include "settings/settings.h"

#define SETTINGS_CREDENTIALS "${CREDENTIALS_DIRECTORY}"

extern const struct key_type settings_file;  /* char[max]: a file */
extern const struct key_type settings_files; /* the same, or several with colons between them */

#endif
