/* check.c - the command `check`: gathers the expectations, then compares. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "expect.h"
#include "memory.h"
#include "messages.h"
#include "operands.h"
#include "report.h"
#include "usage.h"

enum { ERROR_SIZE = 512 };

struct expectations {
    struct expectation *list;
    size_t count, capacity;
    const char *filter;
    bool json;
    struct report report; /* of the connections, where they are printed, too */
    uint64_t max_flows;
};

/* `where` says where it was written, "" for the command line. */
static bool add(struct expectations *all, const char *text, const char *where)
{
    char error[ERROR_SIZE];

    if (all->count == all->capacity) {
        size_t capacity = all->capacity > 0 ? all->capacity * 2 : 16;

        all->list = need(realloc(all->list, capacity * sizeof *all->list));
        all->capacity = capacity;
    }
    if (expect_parse(&all->list[all->count], text, error, sizeof error)) {
        all->count++;
        return true;
    }
    expect_free(&all->list[all->count]);
    message("labcap check: %s%s", where, error);
    return false;
}

/* The line without its comment and the blanks around. A '#' inside a word is no comment. */
static char *trim(char *line)
{
    static const char blanks[] = " \t\r\n";
    size_t length;

    line += strspn(line, blanks);
    for (char *hash = strchr(line, '#'); hash != NULL; hash = strchr(hash + 1, '#'))
        if (hash == line || strchr(blanks, hash[-1]) != NULL)
            *hash = '\0';
    length = strlen(line);
    while (length > 0 && strchr(blanks, line[length - 1]) != NULL)
        line[--length] = '\0';
    return line;
}

static bool add_lines(struct expectations *all, const char *path, FILE *file)
{
    char *line = NULL, where[ERROR_SIZE];
    size_t size = 0;
    unsigned number = 0;
    bool good = true;
    ssize_t length;

    while (good && (length = getline(&line, &size, file)) != -1) {
        bool whole = strlen(line) == (size_t)length;
        char *text = trim(line);

        number++;
        snprintf(where, sizeof where, "%s line %u: ", path, number);
        if (!whole)
            message("labcap check: %sa NUL byte: this is no text", where);
        good = whole && (*text == '\0' || add(all, text, where));
    }
    free(line);
    if (good && ferror(file)) {
        message("labcap check: %s: %s", path, strerror(errno));
        good = false;
    }
    return good;
}

static bool add_file(struct expectations *all, const char *path)
{
    FILE *file = fopen(path, "r");
    bool good;

    if (file == NULL) {
        message("labcap check: %s: %s", path, strerror(errno));
        return false;
    }
    good = add_lines(all, path, file);
    fclose(file);
    return good;
}

static void free_all(struct expectations *all)
{
    for (size_t i = 0; i < all->count; i++)
        expect_free(&all->list[i]);
    free(all->list);
}

static void take_flow(void *context, const struct trace *trace, const struct flow *flow)
{
    struct expectations *all = context;

    if (all->json)
        report_flow(&all->report, trace, flow);
    for (size_t i = 0; i < all->count; i++)
        expect_flow(&all->list[i], trace, flow);
}

static int check_file(void *context, const char *file)
{
    struct expectations *all = context;
    struct trace_listener listener = {
        .flow = take_flow, .context = all, .max_flows = all->max_flows};
    struct trace trace;
    int status;

    all->report = (struct report){.json = true};
    for (size_t i = 0; i < all->count; i++)
        expect_begin(&all->list[i]);
    status = trace_read(&trace, file, all->filter, &listener);
    if (trace.flows == NULL)
        return status;
    if (all->json)
        report_trace(&all->report, &trace);
    for (size_t i = 0; i < all->count; i++)
        if (!expect_tell(&all->list[i], &trace) && status == EXIT_MET)
            status = EXIT_NOT_MET;
    trace_free(&trace);
    return finish_output(status);
}

/* Returns 0, an exit status, or -1 when only help is wanted. */
static int parse_options(struct expectations *all, int argc, char **argv)
{
    int option;

    while ((option = usage_option("check", argc, argv)) != -1) {
        if (option == OPTION_HELP)
            return -1;
        if (option == OPTION_MAX_FLOWS && !usage_number(optarg, RETIRE_MIN, &all->max_flows))
            return usage_error("check", RETIRE_USAGE);
        if (option == OPTION_FILTER)
            all->filter = optarg;
        else if (option == OPTION_JSON)
            all->json = true;
        else if (option != 'e' && option != OPTION_MAX_FLOWS)
            return usage_error("check", NULL);
        else if (option == 'e' && !add_file(all, optarg))
            return EXIT_USAGE;
    }
    return optind < argc ? 0 : usage_error("check", "no FILE given");
}

static int run(struct expectations *all, int argc, char **argv)
{
    struct operands operands;
    int words = 1, status = parse_options(all, argc, argv);

    if (status != 0)
        return status < 0 ? usage_help("check") : status;
    argv += optind;
    argc -= optind;
    while (words < argc && !expect_looks_like_one(argv[words]))
        words++;
    for (int i = words; i < argc; i++)
        if (!add(all, argv[i], ""))
            return EXIT_USAGE;
    if (all->count == 0)
        return usage_error("check", "no expectation given");
    operands_split(&operands, argv, words, all->filter);
    all->filter = operands.filter;
    status = operands_each(&operands, true, check_file, all);
    operands_free(&operands);
    return status;
}

int cmd_check(int argc, char **argv)
{
    struct expectations all = {0};
    int status = run(&all, argc, argv);

    free_all(&all);
    return status;
}
