/* main.c - labcap: records packets, tells what each connection did, draws it, checks it.
 *
 * Exit status of every command: 0 done, all expectations met; 1 an expectation not met; 2 usage;
 * 3 the trace cannot be trusted (unreadable, cut, packets lost), or output could not be
 * written. */
#include <stdio.h>
#include <string.h>

#include "annotate.h"
#include "capture.h"
#include "commands.h"
#include "expect.h"
#include "ladder.h"
#include "messages.h"
#include "report.h"
#include "trace.h"
#include "usage.h"
#include "watch.h"

struct entry {
    const char *name;
    int (*run)(int argc, char **argv);
};

/* Of each command in manual/commands.c. */
static const struct entry entries[] = {
    {"record", cmd_record}, {"flows", cmd_flows}, {"show", cmd_show},
    {"watch", cmd_watch},   {"check", cmd_check}, {"annotate", cmd_annotate},
};

static const struct entry *find(const char *name)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (strcmp(entries[i].name, name) == 0 && command_find(name) != NULL)
            return &entries[i];
    return NULL;
}

int main(int argc, char **argv)
{
    static char name[] = "labcap";
    const struct entry *entry = argc > 1 ? find(argv[1]) : NULL;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return usage_help(NULL);
    if (argc == 1)
        return usage_error(NULL, NULL);
    if (entry == NULL) {
        message("labcap: no command '%s'", argv[1]);
        return usage_error(NULL, NULL);
    }
    argv[1] = name; /* getopt's messages begin with it */
    return entry->run(argc - 1, argv + 1);
}
