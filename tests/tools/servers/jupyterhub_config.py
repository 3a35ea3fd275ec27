"""A JupyterHub on loopback for a test: its ports, its proxy and the token of its operator come from the environment."""

import os

c = get_config()  # noqa: F821
port, hub_port, proxy_port = os.environ["HUB_PORTS"].split(",")
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}/"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub_port}/"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = [os.environ["HUB_PROXY"]]
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.admin_users = {"ada"}
c.Authenticator.allowed_users = {"mia"}
c.JupyterHub.services = [{"name": "unleak", "api_token": os.environ["HUB_OPERATOR"]}]
c.JupyterHub.load_roles = [
    {
        "name": "unleak",
        "description": "names administrators, makes and ends tokens",
        "scopes": ["list:users", "read:users", "admin:users", "tokens"],
        "services": ["unleak"],
    }
]
