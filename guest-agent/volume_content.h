/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The content of one copied volume, as it comes in and takes the place of the one before. */
#include <stdbool.h>

struct error;
struct volume_content;
struct volumes_put;

/* path and fd of the volume's directory, borrowed. */
struct volume_content *volume_content_new(const char *path, int fd);
void volume_content_free(struct volume_content *content);
bool volume_content_is_there(const struct volume_content *content);
/* One part (agent.proto, PutVolumeRequest). After a failure the content begins anew. */
int volume_content_put(struct volume_content *content, const struct volumes_put *put,
                       struct error *err) __attribute__((warn_unused_result));
