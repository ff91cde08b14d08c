/* Keeps a program that uses libnice on the loopback, and away from UPnP routers.
 *
 * Preloaded with the soname of libgupnp-igd it takes that library's place. This also keeps libsoup
 * 3 out of the process, which ends every program that has libsoup 2 loaded, as Debian 12's
 * whip-client has. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct sockaddr_in loopback_address = {.sin_family = AF_INET};
static struct sockaddr_in loopback_mask = {.sin_family = AF_INET};

/* libnice leaves out what calls itself a loopback, hence the flags of an ordinary interface. */
int getifaddrs(struct ifaddrs **out_list)
{
    struct ifaddrs *one = calloc(1, sizeof(*one));
    char *name = strdup("lo");
    if (!one || !name) {
        free(one);
        free(name);
        return -1;
    }
    loopback_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    loopback_mask.sin_addr.s_addr = htonl(0xff000000u);
    one->ifa_name = name;
    one->ifa_flags = IFF_UP | IFF_RUNNING;
    one->ifa_addr = (struct sockaddr *)&loopback_address;
    one->ifa_netmask = (struct sockaddr *)&loopback_mask;
    *out_list = one;
    return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
    if (list)
        free(list->ifa_name);
    free(list);
}

/* The four functions of libgupnp-igd that libnice calls: there is never a router. */
unsigned long gupnp_simple_igd_get_type(void);
void *gupnp_simple_igd_thread_new(void);
void gupnp_simple_igd_add_port(void);
int gupnp_simple_igd_remove_port_local(void);

unsigned long gupnp_simple_igd_get_type(void)
{
    return 80; /* G_TYPE_OBJECT */
}

void *gupnp_simple_igd_thread_new(void)
{
    return NULL;
}

void gupnp_simple_igd_add_port(void)
{
}

int gupnp_simple_igd_remove_port_local(void)
{
    return 0;
}
