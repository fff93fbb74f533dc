"""`focusd --commission`: the first night with a controller, in which what is assumed of it is tested."""
