/* setting.c - see setting.h. */
#include "setting.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int setting_write(const char *name, const char *value)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/sys/net/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = write(fd, value, strlen(value));
    close(fd);
    return n == (ssize_t)strlen(value) ? 0 : -1;
}

void setting_small_tables(void)
{
    /* A chain may be of any length; who asks for connections goes through every entry. */
    (void)setting_write("ipv4/tcp_child_ehash_entries", "1024");
}
