/* no_dbus.c - leaves D-Bus out of the libpcap that is linked into labcap.
 *
 * libpcap can also capture the messages of a D-Bus. For that alone each start of labcap would load
 * nine more libraries, which takes longer than most of what it is started for. libpcap.a takes
 * these in place of its own: no interface is a D-Bus. Where libpcap is linked as a shared library
 * they change nothing. */
#include <pcap/pcap.h>

pcap_t *dbus_create(const char *device, char *error, int *is_ours);
int dbus_findalldevs(void *devices, char *error);

pcap_t *dbus_create(const char *device, char *error, int *is_ours)
{
    (void)device;
    (void)error;
    *is_ours = 0;
    return NULL;
}

int dbus_findalldevs(void *devices, char *error)
{
    (void)devices;
    (void)error;
    return 0;
}
