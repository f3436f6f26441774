/*
 * swap - exchanges names, two by two, in no time and for ever.
 *
 *     swap NAME OTHER [NAME OTHER]...
 *
 * Of a folder and a link each has now the one name and now the other; none is ever missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    for (int i = 1;; i = i + 3 < argc ? i + 2 : 1)
        if (argc < 3 || renameat2(AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1], RENAME_EXCHANGE) < 0) {
            fprintf(stderr, "swap: %s: %s\n", argc < 3 ? "usage" : argv[i], strerror(errno));
            return 1;
        }
}
