/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Directories in which a database keeps its data, by what is in them. */

/* Whose they are, or NULL; an empty one does not show what it will be used for. The directory may
 * be O_PATH. */
const char *database_in(int directory);
