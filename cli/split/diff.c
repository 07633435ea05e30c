/* SPDX-License-Identifier: Apache-2.0 */
/* cleave diff: what two manifests say differently. The salt is no part of what they say: two splits
 * of one pod differ in nothing else. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "difference.h"
#include "sealed/manifest.h"
#include "sealed_file.h"
#include "verbs.h"

enum { EXIT_DIFFERENT = 1 };

static int usage(FILE *to)
{
    fputs("Usage: cleave diff A B\n\n"
          "Compares two manifests of sealed pods, member by member, and says what differs. A and B "
          "are manifests\n"
          "(tenant.json) or Pods with the annotation cleave.dev/manifest. Containers and volumes "
          "are compared by\n"
          "name, mounts by destination. The salt alone is no difference, though with it the "
          "digests differ.\n"
          "Values are shown, those of environment variables included: a manifest is the tenant's "
          "own.\n\n"
          "Exit code: 0 they say the same, 1 they differ, 2 one of them cannot be read or the "
          "command line was wrong.\n",
          to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static void say(void *user, const char *path, const struct js *a, const struct js *b)
{
    size_t *different = user;

    if (text_equal(path, "salt"))
        return;
    (*different)++;
    difference_print(path, &(struct difference_side){"A", a}, &(struct difference_side){"B", b});
}

static int compare(const struct manifest *a, const struct manifest *b)
{
    size_t different = 0;

    if (difference_find(a->root, b->root, say, &different) == 0)
        puts("the same manifest: the digests are equal");
    else if (different == 0)
        puts("the same but for the salt: the digests differ");
    return different ? EXIT_DIFFERENT : EXIT_SUCCESS;
}

int diff_main(int argc, char *argv[])
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    scoped(manifest_freep) struct manifest *a = NULL, *b = NULL;
    scoped(js_freep) struct js *pod_a = NULL, *pod_b = NULL;
    struct error err;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1)
        return usage(option == 'h' ? stdout : stderr);
    if (argc - optind != 2)
        return usage(stderr);
    if (sealed_file_read(argv[optind], &a, &pod_a, &err) == 0 &&
        sealed_file_read(argv[optind + 1], &b, &pod_b, &err) == 0)
        return compare(a, b);
    fprintf(stderr, "cleave diff: %s\n", err.message);
    return EXIT_USAGE;
}
