/* operands.h - which words of a command line are trace files, and which are the filter. */
#ifndef LABCAP_OPERANDS_H
#define LABCAP_OPERANDS_H

#include <stdbool.h>

struct operands {
    char *const *files; /* among the words given */
    int file_count;
    char *filter;       /* NULL: none */
};

/* Joins the words with spaces, as a filter is given on a command line. NULL for no words.
 * The caller frees it. */
char *join_words(char *const *words, int count);

/* The first word is a file. So is each one behind it, as long as it ends in what a trace's name
 * ends in (.pcap, .pcapng, .cap, perhaps digits, perhaps .gz or .zst) or is "-"; what follows is
 * the filter. No look at the disk decides this: a folder's content must not change what a command
 * means. With `filter`, which is what --filter gave, every word is a file. */
void operands_split(struct operands *operands, char *const *words, int count,
                    const char *filter);
void operands_free(struct operands *operands);

/* The name of what stands beside that file: with that ending instead of its own. To be freed; NULL
 * for a file whose name has no ending of a trace's, as standard input's. */
char *operands_beside(const char *file, const char *ending);

/* Calls `each` with each file; with `heading` prints, where there are several, which one it is.
 * Goes on after a file that cannot be read, not after standard output failed. Returns the highest
 * exit status. */
int operands_each(const struct operands *operands, bool heading,
                  int (*each)(void *context, const char *file), void *context);

#endif
