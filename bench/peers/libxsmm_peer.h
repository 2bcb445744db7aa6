#include "peer.h"

peer *libxsmm_prepare(const problem *q, const char *way);
const char *libxsmm_version(void);
