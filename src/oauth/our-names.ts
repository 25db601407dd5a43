/** How others name this authorization server as the audience of what they sign. */
import type { Visit } from "../login/index.ts";

/** Issuer and token endpoint. @see RFC 7523 section 3, item 3 */
export const ourNames = ({ origin }: Visit["tenant"]): readonly string[] => [origin, `${origin}/oauth/token`];
