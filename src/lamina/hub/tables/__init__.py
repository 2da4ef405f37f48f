"""The hub's SQL, by subject: functions over one connection, called inside one transaction."""
