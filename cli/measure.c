/* SPDX-License-Identifier: Apache-2.0 */
/* cleave measure: what hardware will say of a guest, calculated from the files that it boots. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/scoped.h"
#include "base/text.h"
#include "measure.h"
#include "measure/kernel_hashes.h"
#include "verbs.h"

static const struct measure_type *const types[] = {&measure_tpm, &measure_snp, &measure_tdx};

#define UNCOMPARED "uncompared"

enum output { OUTPUT_TEXT, OUTPUT_JSON };

struct arguments {
    const struct measure_type *type; /* NULL: all */
    const char *image, *firmware, *initdata, *cmdline, *acpi;
    enum output output;
    struct measure_input input;
};

static int usage(FILE *to)
{
    fputs("Usage: cleave measure --image DIR --firmware FILE [--type TYPE|all] [--memory SIZE]\n"
          "                      [--vcpus N] [--cpu MODEL] [--address-bits N] [--cmdline TEXT]\n"
          "                      [--kernel-header patched|file] [--kernel-hashes on|off]\n"
          "                      [--sev-features N] [--acpi DIR] [--separator rtmr0|rtmr1]\n"
          "                      [--initdata FILE] [--json]\n\n"
          "Calculates, offline, what the hardware will say of a guest: the values that a policy\n"
          "has to name. Behind each stands by what the calculation was held against the truth, or\n"
          "`uncompared`.\n\n"
          "  --image DIR          vmlinuz, initrd.img and cmdline, as `make image` makes them\n"
          "  --firmware FILE      the OVMF file that the machine starts\n"
          "  --type TYPE          one of those below; all, if not given\n"
          "  --memory SIZE        of the machine: 512MiB if not given\n"
          "  --vcpus N            1 if not given\n"
          "  --cpu MODEL          of QEMU, for types that measure it\n"
          "  --address-bits N     physical addresses of the processor: 40 if not given, which is\n"
          "                       what QEMU without KVM has\n"
          "  --cmdline TEXT       instead of DIR/cmdline\n"
          "  --kernel-header patched|file\n"
          "                       whether QEMU has written into the kernel's header; each type "
          "has its\n"
          "                       own answer if not given\n"
          "  --kernel-hashes on|off\n"
          "                       whether SEV firmware is told what to boot: on if not given\n"
          "  --sev-features N     SEV_FEATURES, decimal or 0x...: 1 if not given\n"
          "  --acpi DIR           ACPI tables of the machine (type tdx)\n"
          "  --separator rtmr0|rtmr1\n"
          "                       of TDX firmware: rtmr1 if not given\n"
          "  --initdata FILE      the pod's initdata\n"
          "  --json               one line of JSON instead of text\n",
          to);
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        fprintf(to, "\nType %s\n%s", types[i]->name, types[i]->help);
    fputs("\nExit code: 0, or 2: the command line was wrong or a file cannot be what it should "
          "be.\n",
          to);
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int complain(const char *text)
{
    fprintf(stderr, "cleave measure: %s; `cleave measure --help` says more\n", text);
    return EXIT_USAGE;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int set_type(struct arguments *arguments, const char *name, struct error *err)
{
    arguments->type = NULL;
    if (text_equal(name, "all"))
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (text_equal(types[i]->name, name))
            arguments->type = types[i];
    if (arguments->type)
        return 0;
    return error_set(err, STATUS_UNIMPLEMENTED, "there is no type '%s'", name);
}

static int set_number(const char *option, const char *text, unsigned max, unsigned *ret,
                      struct error *err)
{
    uint64_t value;

    if (!text_to_u64(text, &value) || !value || value > max)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is a number from 1 to %u", option, max);
    *ret = (unsigned) value;
    return 0;
}

/* Decimal or, behind 0x, hexadecimal. */
static int set_features(const char *text, uint64_t *ret, struct error *err)
{
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text, &end, text_starts(text, "0x") ? 16 : 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--sev-features '%s' is no number", text);
    *ret = value;
    return 0;
}

/* The position of the value among the two that there are, -1. */
static int choose(const char *option, const char *value, const char *const names[2],
                  struct error *err)
{
    for (int i = 0; i < 2; i++)
        if (text_equal(value, names[i]))
            return i;
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s is %s or %s", option, names[0], names[1]);
}

static int set_choice(struct measure_input *input, int option, const char *value, struct error *err)
{
    static const char *const headers[] = {"patched", "file"}, *const hashes[] = {"on", "off"},
                             *const separators[] = {"rtmr1", "rtmr0"};
    int chosen;

    if (option == 'k') {
        chosen = choose("--kernel-header", value, headers, err);
        input->kernel_header = chosen ? MEASURE_KERNEL_AS_FILE : MEASURE_KERNEL_PATCHED;
    } else if (option == 'h') {
        chosen = choose("--kernel-hashes", value, hashes, err);
        input->kernel_hashes = chosen ? MEASURE_KERNEL_HASHES_OFF : MEASURE_KERNEL_HASHES_ON;
    } else {
        chosen = choose("--separator", value, separators, err);
        input->separator = chosen ? MEASURE_SEPARATOR_RTMR0 : MEASURE_SEPARATOR_RTMR1;
    }
    return chosen < 0 ? -1 : 0;
}

static int set_option(struct arguments *arguments, int option, const char *value, struct error *err)
{
    struct measure_input *input = &arguments->input;

    switch (option) {
    case 't':
        return set_type(arguments, value, err);
    case 'i':
        arguments->image = value;
        return 0;
    case 'f':
        arguments->firmware = value;
        return 0;
    case 'd':
        arguments->initdata = value;
        return 0;
    case 'l':
        arguments->cmdline = value;
        return 0;
    case 'm':
        return text_to_size(value, &input->memory, err);
    case 'v':
        return set_number("--vcpus", value, MEASURE_VCPUS_MAX, &input->vcpus, err);
    case 'a':
        return set_number("--address-bits", value, 52, &input->address_bits, err);
    case 'c':
        input->cpu = value;
        return 0;
    case 'k':
    case 'h':
    case 's':
        return set_choice(input, option, value, err);
    case 'e':
        return set_features(value, &input->sev_features, err);
    case 'A':
        arguments->acpi = value;
        return 0;
    default:
        arguments->output = OUTPUT_JSON;
        return 0;
    }
}

static int parse(struct arguments *arguments, int argc, char *argv[], struct error *err)
{
    static const struct option options[] = {{"type", required_argument, NULL, 't'},
                                            {"image", required_argument, NULL, 'i'},
                                            {"firmware", required_argument, NULL, 'f'},
                                            {"initdata", required_argument, NULL, 'd'},
                                            {"cmdline", required_argument, NULL, 'l'},
                                            {"memory", required_argument, NULL, 'm'},
                                            {"vcpus", required_argument, NULL, 'v'},
                                            {"address-bits", required_argument, NULL, 'a'},
                                            {"cpu", required_argument, NULL, 'c'},
                                            {"kernel-header", required_argument, NULL, 'k'},
                                            {"kernel-hashes", required_argument, NULL, 'h'},
                                            {"sev-features", required_argument, NULL, 'e'},
                                            {"acpi", required_argument, NULL, 'A'},
                                            {"separator", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {0}};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == ':' || option == '?')
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s",
                             option == ':' ? "an option lacks its value" : "unknown option");
        if (set_option(arguments, option, optarg, err) < 0)
            return -1;
    }
    if (optind < argc)
        return error_set(err, STATUS_INVALID_ARGUMENT, "there are words without an option");
    if (!arguments->image || !arguments->firmware)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--%s is missing",
                         arguments->image ? "firmware" : "image");
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int read_file(const char *path, size_t limit, struct measure_file *ret, struct error *err)
{
    return file_read(path, limit, &ret->data, &ret->length, err);
}

static int read_from(const char *folder, const char *name, size_t limit, struct measure_file *ret,
                     struct error *err)
{
    scoped(freep) char *path = xformat("%s/%s", folder, name);

    return read_file(path, limit, ret, err);
}

/* Where a guest has them: /sys/firmware/qemu_fw_cfg/by_name/etc/table-loader/raw and so on. */
static int read_acpi(const char *folder, struct measure_input *input, struct error *err)
{
    if (!folder)
        return 0;
    if (read_from(folder, "table-loader", MEASURE_ACPI_MAX, &input->acpi_loader, err) < 0 ||
        read_from(folder, "rsdp", MEASURE_ACPI_MAX, &input->acpi_rsdp, err) < 0)
        return -1;
    return read_from(folder, "tables", MEASURE_ACPI_MAX, &input->acpi_tables, err);
}

static int read_files(struct arguments *arguments, struct error *err)
{
    struct measure_input *input = &arguments->input;

    if (read_from(arguments->image, "vmlinuz", MEASURE_KERNEL_MAX, &input->kernel, err) < 0 ||
        read_from(arguments->image, "initrd.img", MEASURE_INITRD_MAX, &input->initrd, err) < 0 ||
        read_file(arguments->firmware, MEASURE_FIRMWARE_MAX, &input->firmware, err) < 0 ||
        read_acpi(arguments->acpi, input, err) < 0)
        return -1;
    if (arguments->initdata &&
        read_file(arguments->initdata, MEASURE_TEXT_MAX, &input->initdata, err) < 0)
        return -1;
    if (arguments->cmdline)
        input->cmdline.data = xstrdup(arguments->cmdline);
    else if (read_from(arguments->image, "cmdline", MEASURE_TEXT_MAX, &input->cmdline, err) < 0)
        return -1;
    /* As a host reads it. */
    input->cmdline.length = strcspn(input->cmdline.data, "\n");
    input->cmdline.data[input->cmdline.length] = '\0';
    return 0;
}

static void arguments_fini(struct arguments *arguments)
{
    measure_file_fini(&arguments->input.firmware);
    measure_file_fini(&arguments->input.kernel);
    measure_file_fini(&arguments->input.initrd);
    measure_file_fini(&arguments->input.initdata);
    measure_file_fini(&arguments->input.cmdline);
    measure_file_fini(&arguments->input.acpi_loader);
    measure_file_fini(&arguments->input.acpi_rsdp);
    measure_file_fini(&arguments->input.acpi_tables);
}

struct boot_files measure_boot_files(const struct measure_input *input)
{
    return (struct boot_files){
        .kernel = (const uint8_t *) input->kernel.data,
        .kernel_size = input->kernel.length,
        .initrd = (const uint8_t *) input->initrd.data,
        .initrd_size = input->initrd.length,
        .cmdline = input->cmdline.data,
    };
}

/* ---- the answer ------------------------------------------------------------------------------ */

void measure_add(struct js *to, const char *name, const struct measure_file *value,
                 const char *compared)
{
    scoped(freep) char *text = xalloc(2 * value->length + 1);
    struct js *item = js_new_object();

    hex_encode(value->data, value->length, text);
    js_set_string(item, "value", text);
    js_set_string(item, "compared", compared ? compared : UNCOMPARED);
    js_set(to, name, item);
}

void measure_leave_out(struct js *to, const char *name, const char *reason)
{
    struct js *item = js_new_object();

    js_set_string(item, "left_out", reason);
    js_set(to, name, item);
}

/* What stands above a value: how much it is worth. */
static const char *heading(const struct js *value)
{
    const char *compared = js_get_string(value, "compared");

    return compared ? compared : "left out";
}

static int print_value(void *user, const char *name, struct js *value, struct error *err)
{
    const char **last = user;
    const char *text = js_get_string(value, "value");

    if (!text_equal(*last, heading(value)))
        printf("  %s%s:\n", text && !text_equal(heading(value), UNCOMPARED) ? "compared with " : "",
               heading(value));
    *last = heading(value);
    printf("    %-6s %s\n", name, text ? text : js_get_string(value, "left_out"));
    return 0;
}

static int print_type(void *user, const char *name, struct js *values, struct error *err)
{
    const char *left_out = js_string(js_get(values, "left_out")), *last = NULL;

    if (left_out) {
        printf("%s: left out: %s\n", name, left_out);
        return 0;
    }
    printf("%s\n", name);
    return js_each(values, print_value, &last, err);
}

static int print(const struct arguments *arguments, const struct js *answer, struct error *err)
{
    scoped(freep) char *text = NULL;

    if (arguments->output == OUTPUT_TEXT)
        return js_each(answer, print_type, NULL, err);
    text = js_print(answer);
    puts(text);
    return 0;
}

/* Where all are asked for, one that these files are not made for is left out by name; not all. */
static int measure(const struct arguments *arguments, struct js *answer, struct error *err)
{
    struct error first = {0};
    size_t measured = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        struct js *values;

        if (arguments->type && arguments->type != types[i])
            continue;
        values = js_new_object();
        js_set(answer, types[i]->name, values);
        if (types[i]->measure(&arguments->input, values, err) == 0) {
            measured++;
            continue;
        }
        if (arguments->type)
            return -1;
        if (first.status == STATUS_OK)
            first = *err;
        measure_leave_out(answer, types[i]->name, err->message);
    }
    *err = first;
    return measured
               ? 0
               : error_wrap(err, "there is nothing to foretell of any type; %s", types[0]->name);
}

int measure_main(int argc, char *argv[])
{
    scoped(arguments_fini) struct arguments arguments = {
        .input = {
            .memory = UINT64_C(512) << 20, .vcpus = 1, .address_bits = 40, .sev_features = 1}};
    scoped(js_freep) struct js *answer = js_new_object();
    struct error err = {0};

    if (argc == 2 && (text_equal(argv[1], "--help") || text_equal(argv[1], "-h")))
        return usage(stdout);
    if (argc < 2)
        return usage(stderr);
    if (parse(&arguments, argc, argv, &err) < 0 || read_files(&arguments, &err) < 0 ||
        measure(&arguments, answer, &err) < 0 || print(&arguments, answer, &err) < 0)
        return complain(err.message);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_USAGE;
}
