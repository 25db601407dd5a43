/** The design system: what pages are made of. */
export {
  Badge,
  Button,
  ButtonLink,
  Card,
  Checkbox,
  CheckboxList,
  EmptyState,
  Facts,
  Field,
  Form,
  Notice,
  PersonName,
  Table,
  type Choice,
} from "./components.tsx";
export { Moment } from "./moment.tsx";
export { Page, type Visitor } from "./page.tsx";
export { stylesheet, stylesheetPath } from "./stylesheet.ts";
