/* record_options.h - the command line of `labcap record`, and what `watch` has of it too. */
#ifndef LABCAP_RECORD_OPTIONS_H
#define LABCAP_RECORD_OPTIONS_H

#include <stdbool.h>

#include "capture.h"

struct record_options {
    struct capture_options capture;
    char *filter; /* what capture.filter points to; the caller frees it */
    const char *file;
    int ready_fd; /* -1: a line on stderr */
    bool until_eof;
};

/* Returns 0, EXIT_USAGE with what is wrong already said, or -1 when only help is wanted. */
int record_options_parse(struct record_options *o, int argc, char **argv);

/* A number of bytes for capture_options.snaplen, where *snaplen then is; false for others. */
bool option_snaplen(const char *text, int *snaplen);

#endif
