/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds every file of the named directories, and every truncation of it, to one fuzz target: a bug
 * that a fuzzer found once stays found, without a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 1024 * 1024, TRUNCATIONS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly that size, so that ASan sees the first byte behind it. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    (void) LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void feed_truncations(const uint8_t *data, size_t size)
{
    size_t step = size / TRUNCATIONS_MAX + 1;

    for (size_t length = 0; length < size; length += step)
        feed(data, length);
    feed(data, size);
}

static int replay_file(const char *path, uint8_t *buffer)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file)
        return -1;
    size = fread(buffer, 1, INPUT_MAX, file);
    (void) fclose(file);
    feed_truncations(buffer, size);
    return 0;
}

static int replay_directory(const char *directory, uint8_t *buffer)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    char path[4096];
    int count = 0;

    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= (int) sizeof(path) ||
            replay_file(path, buffer) < 0) {
            (void) closedir(dir);
            return -1;
        }
        count++;
    }
    (void) closedir(dir);
    return count;
}

int main(int argc, char *argv[])
{
    uint8_t *buffer = malloc(INPUT_MAX);
    int total = 0;

    for (int i = 1; i < argc && buffer; i++) {
        int count = replay_directory(argv[i], buffer);

        if (count < 0) {
            fprintf(stderr, "%s: cannot be replayed\n", argv[i]);
            return EXIT_FAILURE;
        }
        total += count;
    }
    free(buffer);
    printf("replayed %d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
