/**
 * The official v2 client in the session era through the proxy, to the session server of this
 * repository and to the reference server; and how it finds out that the server is of that era.
 *
 * @module
 */

import { testSessionEra } from "./session_suite.ts";
import { connectV2 } from "./session_v2.ts";

testSessionEra("v2 client", connectV2);
